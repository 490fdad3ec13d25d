"""Says what was caught, with the SQL that shows it and its answer."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from agentdb.terminal.output import Row, Section, connect, print_table, rows

TOTALS = """
select count(*) as runs, count(distinct agent_name) as agents,
  sum(tool_calls) as calls, sum(tool_errors) as failed,
  sum(input_tokens + cached_input_tokens + output_tokens) as tokens,
  count(*) filter (where state = 'succeeded') as said_done
from agentdb.run_summary
"""
CAUGHT = """
select a.rule_name as rule, count(*) as alerts, r.description as why
from agentdb.alert as a
join agentdb.alert_rule as r on r.rule_name = a.rule_name
where a.firing_at is not null
group by a.rule_name, r.description
order by min(array_position(array['critical', 'warning', 'info'], a.severity)), 1
"""
BUDGET = """
select 'A-' || alert_id as alert, labels ->> 'conversation' as conversation,
  value::bigint as tokens
from agentdb.alert
where rule_name = 'conversation_budget'
"""


def show(console: Console, dsn: str, *, keep: bool) -> bool:
    """Print the summary; return whether the run over its budget was caught."""
    with connect(dsn) as connection:
        totals = rows(connection, Section("totals", TOTALS.strip()))[0]
        caught = rows(connection, Section("caught", CAUGHT.strip()))
        budget = Section("", BUDGET.strip())
        over = rows(connection, budget)
    console.rule("what happened")
    console.print(_story(totals))
    _print_caught(console, caught)
    console.print("\nThe SQL that shows it, and its answer:\n", style="bold")
    console.print(Text(budget.statement, style="cyan"))
    print_table(budget, over, console)
    _print_next(console, dsn, over, keep=keep)
    return bool(over)


def _story(totals: Row) -> str:
    return (
        f"{totals['runs']} recorded runs of {totals['agents']} agents made "
        f"{totals['calls']:,} tool calls and used {totals['tokens']:,} tokens.\n"
        f"{totals['failed']} of the calls failed.  {totals['said_done']} of the runs "
        "said that they were done.\nWhat the database saw, without asking them:\n"
    )


def _print_caught(console: Console, caught: list[Row]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for row in caught:
        table.add_row(f"{row['alerts']}x", f"[bold]{row['rule']}[/bold]", row["why"])
    console.print(table)


def _print_next(console: Console, dsn: str, over: list[Row], *, keep: bool) -> None:
    console.print("\nWhat to do next:", style="bold")
    if keep:
        alert = over[0]["alert"] if over else "A-1"
        console.print(Text(f"  export AGENTDB_DSN='{dsn}'"), soft_wrap=True)
        console.print(f"  agentdb why {alert}      the rows behind an alert")
        console.print("  agentdb runs         every run, then: agentdb timeline RUN")
        console.print("  Ctrl-C               stop the server and remove it")
    else:
        console.print("  agentdb demo --keep  look around in this database")
        console.print("  agentdb up           a database of your own to build on")
        console.print("  agentdb install      the pack in a database that you have")
