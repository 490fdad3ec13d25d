"""Commands about what agents ask people: questions, answer."""

from __future__ import annotations

import click

from ..terminal.output import Section, how, query, show
from .options import dsn, number_of

OPEN = """
select 'Q-' || question_id as question, urgency, agent_name as agent, run_id as run,
  asked_at, waited, array_to_string(options, ' | ') as options, question as text
from agentdb.open_question
order by array_position(array['high', 'normal', 'low'], urgency), asked_at
"""


@click.command()
@dsn
@how
def questions(dsn: str, as_json: bool, as_sql: bool) -> None:
    """List open questions of agents, the most urgent first."""
    section = Section("questions", query(OPEN), "none", below="text")
    show(dsn, [section], as_json=as_json, as_sql=as_sql)


@click.command()
@dsn
@click.argument("number", metavar="Q-ID")
@click.argument("answer")
@click.option("-m", "--message", "comment", help="More, for the agent to read.")
def answer(dsn: str, number: str, answer: str, comment: str | None) -> None:
    """Answer question Q-5; where it has options, with one of these."""
    from agentdb.admin import oncall

    asked = number_of(number, "Q")
    if asked is None:
        raise click.UsageError(f"{number} is no question; see agentdb questions")
    run, agent = oncall.answer(dsn, asked, answer=answer, comment=comment)
    click.echo(f"Q-{asked} is answered; run {run} of {agent} reads it")
