"""What notifications wake, by channel."""

from __future__ import annotations

# Whom each is for: runners that send, programs of runs that may be stopped, and agents
# that wait for what becomes of a change, whose number comes along.
MESSAGES = "agentdb_notification"
CHANGES = "agentdb_change"
STOPS = "agentdb_stop"
