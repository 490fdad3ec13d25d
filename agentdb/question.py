"""The short name of agentdb.client.question, for programs that have it."""

from .client.question import Answer, ask_human, wait_for_answer

__all__ = ["Answer", "ask_human", "wait_for_answer"]
