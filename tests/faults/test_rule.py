"""Rules that err, hang, answer garbage, write or leave: they alone are affected."""

from __future__ import annotations

from ..scene import Scene, until

BROKEN = {
    "errs": (
        "select 1 / (random() * 0)::integer as value, '{}'::jsonb as labels",
        "22012",
    ),
    "hangs": ("select '{}'::jsonb as labels, pg_sleep(60)::text as value", "57014"),
    "no_labels": ("select 1 as value", "42703"),
    "null_labels": ("select null::jsonb as labels, 1 as value", "ZA004"),
    "odd_labels": ("select '[]'::jsonb as labels, 1 as value", "ZA004"),
    "odd_value": ("select '{}'::jsonb as labels, 'abc'::text as value", "22P02"),
    "vast_value": ("select '{}'::jsonb as labels, 1e400::numeric as value", "22003"),
    "writes": ("select '{}'::jsonb as labels, public.write() as value", "25006"),
    "leaves": (
        "select '{}'::jsonb as labels,"
        " pg_terminate_backend(pg_backend_pid())::text as value",
        "57P01",
    ),
}


def test_broken_rule_fails_alone_and_is_recorded(scene: Scene) -> None:
    scene.receiver()
    scene.db.execute("create table public.written (at timestamptz)")
    scene.db.execute("grant insert on public.written to agentdb_operator")
    scene.db.execute(
        "create function public.write() returns integer volatile language plpgsql as"
        " 'begin insert into public.written values (now()); return 1; end'"
    )
    for name, (query, _) in BROKEN.items():
        _view(scene, name, query)
    scene.rule("dropped", "public.no_such_view")
    runner = scene.start()
    until(lambda: {name for name, _ in _errors(scene)} == {*BROKEN, "dropped"})
    scene.trouble()
    [request] = scene.sink.wait()
    assert request.payload["rule"] == "trouble"
    assert runner.stop() == 0
    recorded = {name: error.split(":")[0] for name, error in _errors(scene)}
    expected = {name: sqlstate for name, (_, sqlstate) in BROKEN.items()}
    assert recorded == {**expected, "dropped": "42P01"}
    assert scene.value("select count(*) from public.written") == 0


def _view(scene: Scene, name: str, query: str) -> None:
    view = f"create view public.{name} as select *, null::jsonb as annotations"
    scene.db.execute(f"{view} from ({query}) as q".encode())
    scene.db.execute(f"grant select on public.{name} to agentdb_operator".encode())
    scene.rule(name, f"public.{name}")


def _errors(scene: Scene) -> list[tuple[str, str]]:
    """Return the rules that failed and why."""
    return scene.db.execute(
        "select rule_name, error from agentdb.alert_rule where error is not null"
    ).fetchall()


def test_rule_that_answers_too_much_is_truncated(scene: Scene) -> None:
    scene.db.execute("update agentdb.alert_rule set max_alerts = 3")
    scene.trouble(10)
    scene.start()
    until(lambda: scene.value("select bool_or(truncated) from agentdb.alert_rule"))
    assert scene.value("select count(*) from agentdb.alert") == 3
