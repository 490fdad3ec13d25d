"""A person is erased from the log and all copies; the seals still tell of all others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .agents import age, evaluate, refusal, register, row, rows, start, value
from .commands import run
from .conftest import Connect, Connection
from .servers import Server

if TYPE_CHECKING:
    from typing_extensions import LiteralString

ANNA = "anna.example@mail.test"


@pytest.fixture
def people(db: Connection) -> Connection:
    """A superuser's session; Anna came, moved and went, Bert stayed."""
    db.execute(
        "create table customer (id int primary key, name text, email text, city text);"
        "grant select, insert, update, delete on customer to agent_a;"
        "select agentdb.audit_table('customer')"
    )
    db.execute(
        "insert into customer values (42, 'Anna Example', %s, 'Graz'),"
        " (7, 'Bert Sample', 'bert@mail.test', 'Graz')",
        [ANNA],
    )
    db.execute("update customer set name = 'Anna Newname', city = null where id = 42")
    db.execute("update customer set city = 'Linz' where id = 7")
    db.execute("delete from customer where id = 42")
    return db


def verify(db: Connection, root: str | None = None) -> dict[str, Any]:
    return row(db, "select * from agentdb.verify_audit(%s::text)", root)


def seal(db: Connection) -> str:
    return str(value(db, "select root from agentdb.seal_audit()"))


def tamper(db: Connection, statement: LiteralString) -> None:
    """Change what is append-only, as a superuser can."""
    with db.transaction():
        db.execute("set local session_replication_role = replica")
        db.execute(statement)


def erase(
    db: Connection, key: str = "42", table: str = "customer", *terms: str
) -> dict[str, int]:
    found = rows(
        db,
        "select * from agentdb.erase_subject(%s::text::regclass, %s::jsonb, 'she asked',"
        " %s::text[])",
        table,
        key,
        list(terms),
    )
    return {each["place"]: each["rows"] for each in found}


def pseudonym(db: Connection) -> str:
    query = "select pseudonym from agentdb.erasure_log order by erasure_id desc limit 1"
    return str(value(db, query))


def everything(db: Connection) -> str:
    """All that the schema holds, as text."""
    tables = rows(
        db,
        "select c.relname from pg_class as c where c.relnamespace = 'agentdb'::regnamespace"
        " and c.relkind in ('r', 'p') and not c.relispartition",
    )
    return "\n".join(
        str(value(db, f"select json_agg(t)::text from agentdb.{each['relname']} as t"))
        for each in tables
    )


def test_log_is_blanked_and_every_other_row_still_proves(people: Connection) -> None:
    root = seal(people)
    assert erase(people) == {"audit_log": 3, "left: values that other rows have too": 1}
    name = pseudonym(people)
    text = everything(people)
    for gone in ("Anna", ANNA, "Newname"):
        assert gone not in text
    assert "Bert Sample" in text
    found = rows(
        people,
        "select row_key, old_values, new_values, salt from agentdb.audit_log"
        " where row_key ->> 'id' = %s order by audit_log_id",
        name,
    )
    assert [each["salt"] for each in found] == [None] * 3
    assert found[0]["new_values"] == {
        "id": name, "name": "[erased]", "email": "[erased]", "city": "[erased]",
    }  # fmt: skip
    assert found[1]["old_values"] == {"name": "[erased]", "city": "[erased]"}
    checked = verify(people, root)
    assert (checked["intact"], checked["problem"], checked["unsealed"]) == (
        True,
        None,
        1,
    )
    # The erasure is in the log itself, and sealed with it.
    assert value(people, "select rows from agentdb.seal_audit()") == 1
    assert verify(people, root)["intact"] is True
    assert (
        row(
            people, "select erased_by, reason, table_name, log_rows from agentdb.erasure_log"
        )
        == row(people, "select session_user::text as erased_by, 'she asked' as reason,"
               " 'public.customer' as table_name, 3::bigint as log_rows")
    )  # fmt: skip


ALTER: dict[str, LiteralString] = {
    "another row": 'update agentdb.audit_log set new_values = \'{"city": "Wien"}\''
    " where new_values ->> 'city' = 'Linz'",
    "who wrote an erased row": "update agentdb.audit_log set run_id = 7 where salt is null",
    "the blanks": 'update agentdb.audit_log set new_values = \'{"name": "Carl"}\''
    " where salt is null and operation = 'update'",
    "the names of the blanks": "update agentdb.audit_log set new_values"
    " = '{\"city\": \"[erased]\"}' where salt is null and operation = 'update'",
    "the kept hash": "update agentdb.erased_leaf set leaf = sha256('x')",
    "a kept hash is gone": "delete from agentdb.erased_leaf where audit_log_id ="
    " (select min(audit_log_id) from agentdb.erased_leaf)",
    "the pseudonym": "update agentdb.erasure set pseudonym = 'erased-0123456789ab'",
    "the erasure is gone": "delete from agentdb.erasure",
    "an erased row is gone": "delete from agentdb.audit_log where salt is null"
    " and operation = 'delete'",
    "a row that looks erased": "insert into agentdb.erased_leaf select audit_log_id,"
    " recorded_at, 1, agentdb._leaf(salt, row_key, old_values, new_values)"
    " from agentdb.audit_log where new_values ->> 'city' = 'Linz';"
    'update agentdb.audit_log set salt = null, old_values = \'{"city": "[erased]"}\','
    ' new_values = \'{"city": "[erased]"}\', row_key = \'{"id": "[erased]"}\''
    " where new_values ->> 'city' = 'Linz'",
    "the same under an erasure of its own": "insert into agentdb.erased_leaf select"
    " audit_log_id, recorded_at, 99, agentdb._leaf(salt, row_key, old_values, new_values)"
    " from agentdb.audit_log where new_values ->> 'city' = 'Linz';"
    'update agentdb.audit_log set salt = null, new_values = \'{"city": "Wien"}\''
    " where new_values ->> 'city' = 'Linz'",
    "what was recorded of the erasure": "update agentdb.audit_log set new_values ="
    " new_values || '{\"reason\": \"x\"}' where operation = 'erase'",
    "the record of it is gone": "delete from agentdb.audit_log where operation = 'erase'",
}


@pytest.mark.parametrize("what", ALTER)
@pytest.mark.parametrize("sealed", [False, True])
def test_what_is_altered_beside_an_erasure_is_detected(
    people: Connection, what: str, sealed: bool
) -> None:
    seal(people)
    if sealed:
        erase(people)
        seal(people)
        tamper(people, ALTER[what])
    else:
        # In the same breath.
        with people.transaction():
            erase(people)
            tamper(people, ALTER[what])
    assert verify(people)["intact"] is False


def test_rows_not_sealed_yet_are_sealed_before(people: Connection) -> None:
    assert value(people, "select count(*) from agentdb.seal") == 0
    erase(people)
    assert verify(people)["intact"] is True
    assert verify(people)["unsealed"] == 1
    tamper(
        people,
        "update agentdb.audit_log set run_id = 7 where new_values ->> 'city' = 'Linz'",
    )
    assert verify(people)["intact"] is False


def test_copies_lose_her_and_keep_all_else(
    people: Connection, connect: Connect
) -> None:
    register(people)
    agent = connect(people.info.dbname, "agent_a")
    start(agent, purpose="write to Anna Example", on_behalf_of=ANNA)
    hard = {
        "to": [ANNA, "bert@mail.test"],
        "customer": {"id": 42, "n": 42},
        "customer_id": "42",
        "note": f"Dear Anna EXAMPLE,\nANNA.Example@mail.test\tAnna Examples <{ANNA}>",
        "raw": json.dumps({"mail": f"x\n{ANNA}", "id": 42}),
        ANNA.upper(): True,
        "page": 42,
    }
    agent.execute(
        "select agentdb.log_tool_call('mail', %s::jsonb, ok => false, error => %s::text)",
        [json.dumps(hard), f"550 <{ANNA}>: no such user"],
    )
    agent.execute(
        "select agentdb.log_tool_call('get_order', '{\"id\": 42}'),"
        " agentdb.log_tool_call('get_customer', '{\"id\": 42}'),"
        " agentdb.log_progress('asked Anna Newname', '{\"who\": \"Anna Newname\"}')"
    )
    agent.execute("select * from agentdb.ask_human('May I write to Anna Newname?',"
                  " options => '[\"write to Anna Newname\", \"no\"]')")  # fmt: skip
    people.execute(
        "insert into agentdb.intake_problem (agent_name, path, emitter, reason, sample)"
        " values ('a', '/', 'x', 'odd', %s)",
        [f"{{{ANNA}"],
    )
    people.execute(
        "insert into agentdb.notification (kind, receiver_name, payload) values"
        " ('test', 'stdout', jsonb_build_object('text', %s::text))",
        [f"billing waits for {ANNA}"],
    )
    evaluate(people)
    assert ANNA in everything(people)
    done = erase(people)
    text = everything(people)
    for gone in (ANNA, "Anna Example", "Anna Newname"):
        assert gone.lower() not in text.replace("Anna Examples", "").lower()
    args = value(people, "select args from agentdb.tool_call_log where tool = 'mail'")
    name = pseudonym(people)
    assert args == {
        "to": ["[erased]", "bert@mail.test"],
        "customer": {"id": name, "n": 42},
        "customer_id": name,
        "note": "Dear [erased],\n[erased]\tAnna Examples <[erased]>",
        "raw": json.dumps({"mail": "x\n[erased]", "id": 42}),
        "[erased]": True,
        "page": 42,
    }
    assert value(people, "select error from agentdb.tool_call_log where not ok") == (
        "550 <[erased]>: no such user"
    )
    # An order may have her number too.
    assert rows(people, "select tool, args from agentdb.tool_call_log where ok order by 1") == [
        {"tool": "get_customer", "args": {"id": name}},
        {"tool": "get_order", "args": {"id": 42}},
    ]  # fmt: skip
    assert row(people, "select question, options from agentdb.question") == {
        "question": "May I write to [erased]?", "options": ["write to [erased]", "no"],
    }  # fmt: skip
    assert value(people, "select purpose from agentdb.run") == "write to [erased]"
    for place in ("tool_call_log", "progress_log", "question", "run", "notification",
                  "intake_problem", "run_activity"):  # fmt: skip
        assert done[place] >= 1, place
    assert done["tool_call_log"] == 2
    assert value(people, "select places ->> 'question' from agentdb.erasure_log") == "1"


HOSTILE = (
    'O\'Brien "Q" \\ 100% {x} [a-z]+ .* $1 \\1 & (?i)',
    "***=abc",
    "\\mfoo\\M",
    "multi\nline\tname",
    "Ünïcödé Ñame",
    "田中太郎",
    "x" * 3000,
    "a|b|c|d",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_value_is_found_as_it_is(
    db: Connection, connect: Connect, name: str
) -> None:
    register(db)
    db.execute(
        "create table person (id text primary key, name text);"
        "select agentdb.audit_table('person')"
    )
    db.execute("insert into person values ('p-1000', %s), ('p-2', 'Other')", [name])
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    kept = "abc foo .* $1 [a-z]+ a b c d Other p-1"
    told = {"a": name, "b": f"«{name}» さん {kept}", "c": json.dumps({"n": name}),
            "d": json.dumps({"n": name}, ensure_ascii=False), "e": "P-1000"}  # fmt: skip
    agent.execute("select agentdb.log_tool_call('t', %s::jsonb)", [json.dumps(told)])
    agent.execute("select agentdb.log_progress(%s::text)", [f"{name[:900]} {kept}"])
    if len(name) < 900:
        assert erase(db, '"p-1000"', "person")["progress_log"] == 1
        assert value(db, "select step from agentdb.progress_log") == f"[erased] {kept}"
    else:
        erase(db, '"p-1000"', "person")
    args = value(db, "select args from agentdb.tool_call_log")
    assert args["a"] == "[erased]"
    assert args["b"] == f"«[erased]» さん {kept}"
    assert args["d"] == '{"n": "[erased]"}' or len(name) > 900
    if name.isascii() and len(name) < 900:
        assert args["c"] == '{"n": "[erased]"}'
    assert args["e"] == pseudonym(db)
    assert verify(db)["intact"] is True


def test_json_in_json_and_deep_json_stay_json(db: Connection) -> None:
    db.execute(
        "create table person (id int primary key, doc jsonb, age numeric, code text);"
        "select agentdb.audit_table('person')"
    )
    deep = "[" * 100 + '"Anna Deepdown"' + "]" * 100
    db.execute(
        "insert into person values (1234567, %s, 39, null)",
        [
            json.dumps(
                {"tel": ["+43 1 234567", {"alias": "Anna Deepdown"}], "vip": True}
            )
        ],
    )
    db.execute(
        "insert into agentdb.intake_problem (agent_name, path, emitter, reason, sample)"
        " values ('a', '/', 'x', 'odd', 'call +43 1 234567 or 1234567, age 39')"
    )
    subject = value(
        db, "select agentdb._subject('person', array['{\"id\": 1234567}'::jsonb],"
        " array(select audit_log_id from agentdb.audit_log), '{}')"
    )  # fmt: skip
    for doc, expected in (
        (deep, "[erased]"),
        (json.dumps({"n": 1234567, "m": 12345678}), {"n": subject["pseudonym"], "m": 12345678}),
        (json.dumps([39, True, None, {}, []]), [39, True, None, {}, []]),
        (json.dumps([1234567, True, None, {}, []]), [subject["pseudonym"], True, None, {}, []]),
    ):  # fmt: skip
        assert value(
            db, "select agentdb._erase_json(%s::jsonb, %s::jsonb)", doc, json.dumps(subject)
        ) == expected  # fmt: skip
    erase(db, "1234567", "person")
    assert value(db, "select sample from agentdb.intake_problem") == (
        f"call [erased] or {pseudonym(db)}, age 39"
    )


def test_composite_key_of_a_partitioned_table(db: Connection) -> None:
    db.execute(
        "create table visit (tenant text, no int, who text, primary key (tenant, no))"
        " partition by list (tenant);"
        "create table visit_a partition of visit for values in ('acme');"
        "create table visit_b partition of visit for values in ('blue');"
        "select agentdb.audit_table('visit')"
    )
    db.execute(
        "insert into visit values ('acme', 1, 'Anna Example'), ('acme', 2, 'Bert Sample'),"
        " ('blue', 1, 'Carl Other')"
    )
    db.execute(
        "insert into agentdb.intake_problem (agent_name, path, emitter, reason, sample)"
        " values ('a', '/', 'x', 'odd', 'acme: Anna Example')"
    )
    assert refusal(db, "select agentdb.erase_subject('visit', '{\"no\": 1}', 'x')").sqlstate == (
        "ZA004"
    )  # fmt: skip
    done = erase(db, '{"tenant": "acme", "no": 1}', "visit")
    assert done["audit_log"] == 1
    assert done["left: the row in public.visit itself"] == 1
    name = pseudonym(db)
    assert rows(db, "select row_key from agentdb.audit_log where row_key is not null"
                " order by audit_log_id") == [
        {"row_key": {"tenant": name, "no": name}},
        {"row_key": {"tenant": "acme", "no": 2}},
        {"row_key": {"tenant": "blue", "no": 1}},
    ]  # fmt: skip
    # The tenant is not hers alone.
    assert value(db, "select sample from agentdb.intake_problem") == "acme: [erased]"
    assert verify(db)["intact"] is True


def test_key_that_is_an_address_and_terms(db: Connection, connect: Connect) -> None:
    register(db)
    db.execute(
        "create table member (email text primary key, joined date);"
        "create table invoice (id int primary key, email text);"
        "select agentdb.audit_table('member'), agentdb.audit_table('invoice')"
    )
    db.execute("insert into member values (%s, '2024-05-06')", [ANNA])
    db.execute("insert into invoice values (1, %s)", [ANNA])
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute(
        "select agentdb.log_progress(%s)", [f"mailed {ANNA}, that is, Annie E."]
    )
    done = erase(db, json.dumps(ANNA), "member", "annie e.")
    assert done["left: audit_log of public.invoice"] == 1
    assert value(db, "select step from agentdb.progress_log") == (
        f"mailed {pseudonym(db)}, that is, [erased]"
    )
    # What is found elsewhere is erased in its turn, under another pseudonym.
    assert "left: audit_log of public.invoice" not in erase(db, "1", "invoice")
    assert ANNA not in everything(db)


def test_twice_and_again_after_a_new_row(people: Connection) -> None:
    erase(people)
    again = refusal(people, "select agentdb.erase_subject('customer', '42', 'again')")
    assert again.sqlstate == "ZA004"
    assert "nothing is recorded of a row 42 of public.customer" in (
        again.message_primary or ""
    )
    name = pseudonym(people)
    assert refusal(
        people,
        "select agentdb.erase_subject('customer', to_jsonb(%s::text), 'again')",
        name,
    ).sqlstate == "ZA004"  # fmt: skip
    people.execute("insert into customer values (42, 'Anna Back', null, null)")
    assert erase(people)["audit_log"] == 1
    assert pseudonym(people) != name
    assert value(people, "select count(*) from agentdb.erasure_log") == 2
    # Of what retention has removed only the copies are left.
    assert erase(people, "99", "customer", "Anna Else")["audit_log"] == 0
    assert verify(people)["intact"] is True
    seal(people)
    assert verify(people)["intact"] is True


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("'customer', '42', null", "ZA004"),
        ("'customer', '42', ' '", "ZA004"),
        ("'customer', '42', E'two\\nlines'", "ZA004"),
        ("'customer', null, 'x'", "ZA004"),
        ("'customer', '{}', 'x'", "ZA004"),
        ("'customer', '4711', 'x'", "ZA004"),
        ("'customer', '\"x\"', 'x'", "ZA004"),
        ("'customer', '42', 'x', null", "ZA004"),
        ("'customer', '42', 'x', '{a}'", "ZA004"),
        ("'customer', '42', 'x', array[null]", "ZA004"),
        ("'customer', '42', 'x', '{[erased]}'", "ZA004"),
        ("null, '42', 'x'", "ZA006"),
        ("'plain', '42', 'x'", "ZA006"),
        ("'keyless', '42', 'x'", "ZA033"),
    ],
)
def test_what_cannot_be_erased_is_refused(
    people: Connection, call: str, sqlstate: str
) -> None:
    people.execute(
        "create table plain (id int primary key); create table keyless (id int);"
        "select agentdb.audit_table('keyless')"
    )
    said = refusal(people, f"select agentdb.erase_subject({call})")
    assert said.sqlstate == sqlstate
    assert said.message_hint


def test_snapshot_that_is_old_is_refused(people: Connection) -> None:
    with people.transaction():
        people.execute("set transaction isolation level repeatable read")
        said = refusal(people, "select agentdb.erase_subject('customer', '42', 'x')")
    assert said.sqlstate == "ZA004"
    assert "READ COMMITTED" in (said.message_hint or "")


def now(db: Connection) -> str:
    return str(value(db, "select clock_timestamp()"))


AS_OF = "select agentdb.row_as_of('customer', %s::text::jsonb, %s::timestamptz)"
TABLE = (
    "select row_key from agentdb.table_as_of('customer', %s::timestamptz) order by 1"
)


def test_past_invents_nothing(db: Connection, connect: Connect) -> None:
    db.execute(
        "create table customer (id int primary key, name text);"
        "insert into customer values (1, 'Old Uncle'), (2, 'Old Aunt');"
        "grant select on customer to auditor_u;"
        "select agentdb.audit_table('customer')"
    )
    first = now(db)
    db.execute("insert into customer values (42, 'Anna Example'), (7, 'Bert Sample')")
    there = now(db)
    db.execute("update customer set name = 'Bert Newname' where id = 7")
    db.execute("delete from customer where id = 42")
    gone = now(db)
    assert erase(db)["audit_log"] == 2
    auditor = connect(db.info.dbname, "auditor_u")
    for key in ("42", "4711"):
        said = refusal(auditor, AS_OF, key, there)
        assert said.sqlstate == "ZA033"
        assert "erased by" in (said.message_primary or "")
        assert "erasure 1" in (said.message_primary or "")
    assert refusal(auditor, TABLE, there).sqlstate == "ZA033"
    # Nobody else's row is lost with her: by the log, and by being there.
    assert value(auditor, AS_OF, "7", there) == {"id": 7, "name": "Bert Sample"}
    assert value(auditor, AS_OF, "1", there) == {"id": 1, "name": "Old Uncle"}
    assert value(auditor, AS_OF, "7", first) is None
    assert value(auditor, AS_OF, "42", gone) is None
    keys = [each["row_key"]["id"] for each in rows(auditor, TABLE, gone)]
    assert keys == [1, 2, 7]
    # Before she came she was not there.
    keys = [each["row_key"]["id"] for each in rows(auditor, TABLE, first)]
    assert keys == [1, 2]
    assert value(auditor, AS_OF, "42", first) is None
    # A row that came since under her number is another one.
    db.execute("insert into customer values (42, 'Carl Other')")
    assert refusal(auditor, AS_OF, "42", there).sqlstate == "ZA033"
    assert value(auditor, AS_OF, "42", now(db)) == {"id": 42, "name": "Carl Other"}
    name = pseudonym(db)
    assert refusal(auditor, AS_OF, json.dumps(name), gone).sqlstate == "ZA033"
    history = rows(
        auditor,
        "select operation, old_values, new_values from agentdb.row_history('customer',"
        " to_jsonb(%s::text))",
        name,
    )
    assert history == [
        {"operation": "insert", "old_values": None,
         "new_values": {"id": name, "name": "[erased]"}},
        {"operation": "delete", "new_values": None,
         "old_values": {"id": name, "name": "[erased]"}},
    ]  # fmt: skip
    assert [each["operation"] for each in rows(
        auditor, "select operation from agentdb.row_history('customer', '42')")] == [
        "insert"]  # fmt: skip


def test_past_of_a_row_that_is_still_there_is_refused(
    db: Connection, connect: Connect
) -> None:
    db.execute(
        "create table customer (id int primary key, name text);"
        "insert into customer values (42, 'Anna Example'), (7, 'Bert Sample');"
        "select agentdb.audit_table('customer')"
    )
    first = now(db)
    db.execute("update customer set name = 'Anna Newname' where id = 42")
    assert erase(db)["left: the row in public.customer itself"] == 1
    for key in ("42", "7"):
        # One that was there and never written may be hers as well.
        assert refusal(db, AS_OF, key, first).sqlstate == "ZA033"
    assert value(db, AS_OF, "4711", first) is None
    assert value(db, AS_OF, "42", now(db)) == {"id": 42, "name": "Anna Newname"}
    assert len(rows(db, TABLE, now(db))) == 2
    db.execute("delete from customer where id = 42")
    assert "Anna Newname" in everything(db)
    assert refusal(db, AS_OF, "42", first).sqlstate == "ZA033"
    assert erase(db)["audit_log"] == 1
    assert "Anna" not in everything(db)
    assert refusal(db, AS_OF, "42", first).sqlstate == "ZA033"
    assert verify(db)["intact"] is True


def test_keys_with_many_spellings_go_on(db: Connection) -> None:
    db.execute(
        "create table n (id numeric primary key, v text); select agentdb.audit_table('n');"
        "insert into n values (1.50, 'Anna Example'), (2, 'x'); delete from n where id = 1.5;"
    )
    assert erase(db, "1.500", "n")["audit_log"] == 2
    assert len(rows(db, "select * from agentdb.row_history('n', '2.0')")) == 1
    assert rows(db, "select * from agentdb.row_history('n', '1.5')") == []
    assert len(rows(db, "select * from agentdb.row_history('n', to_jsonb(%s::text))",
                    pseudonym(db))) == 2  # fmt: skip
    assert value(db, "select agentdb.row_as_of('n', '2', clock_timestamp())") == {
        "id": 2, "v": "x",
    }  # fmt: skip


def test_key_that_only_looks_like_a_pseudonym(db: Connection) -> None:
    db.execute(
        "create table n (id text primary key, v text); select agentdb.audit_table('n');"
        "insert into n values ('erased-0123456789ab', 'x'), ('b', 'Anna Example');"
    )
    erase(db, '"b"', "n")
    assert value(
        db, "select agentdb.row_as_of('n', '\"erased-0123456789ab\"', clock_timestamp())"
    ) == {"id": "erased-0123456789ab", "v": "x"}  # fmt: skip


UNDO = (
    "select state, row_count from agentdb.undo_run(%s::bigint, on_conflict => %s::text)"
)


def test_undo_names_the_erasure_and_takes_back_the_rest(
    db: Connection, connect: Connect
) -> None:
    register(db)
    db.execute(
        "create table customer (id int primary key, name text);"
        "grant select, insert, update, delete on customer to agent_a;"
        "select agentdb.audit_table('customer')"
    )
    agent = connect(db.info.dbname, "agent_a")
    run = start(agent)
    agent.execute(
        "insert into customer values (42, 'Anna Example'), (7, 'Bert Sample')"
    )
    xid = value(db, "select xid::text from agentdb.audit_log limit 1")
    agent.execute("select agentdb.end_run()")
    db.execute("delete from customer where id = 42")
    erase(db)
    for call in (
        f"select agentdb.undo_run({run})",
        f"select agentdb.undo_transaction('{xid}')",
        "select agentdb.undo_row((select min(audit_log_id) from agentdb.audit_log))",
    ):
        said = refusal(db, call)
        assert said.sqlstate == "ZA056"
        assert "erasure 1" in (said.message_primary or "")
        assert "skip" in (said.message_hint or "")
    change = row(db, UNDO, run, "skip")
    assert (change["state"], change["row_count"]) == ("approved", 1)
    assert "erasure 1" in value(db, "select reason from agentdb.change")
    # The record of the erasure is nothing to take back.
    erased = value(
        db, "select xid::text from agentdb.audit_log where operation = 'erase'"
    )
    assert (
        refusal(db, f"select agentdb.undo_transaction('{erased}')").sqlstate == "ZA056"
    )


def staged(db: Connection, connect: Connect) -> tuple[Connection, int]:
    register(db)
    db.execute(
        "create table customer (id int primary key, name text, note text);"
        "create table place (id int primary key, name text);"
        "grant select, insert, update, delete on customer, place to agent_a;"
        "insert into customer values (42, 'Anna Example', 'x');"
        "insert into place values (42, 'y'), (43, 'Anna Newname');"
        "select agentdb.audit_table('customer'), agentdb.audit_table('place');"
        "select agentdb.guard_table('customer'), agentdb.guard_table('place');"
        "update customer set note = 'z'"
    )
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute(
        "update agentdb_stage.customer set name = 'Anna Newname' where id = 42"
    )
    return agent, value(db, "select max(change_id) from agentdb.change")


def test_change_that_waits_is_decided_first(db: Connection, connect: Connect) -> None:
    agent, change = staged(db, connect)
    said = refusal(db, "select agentdb.erase_subject('customer', '42', 'x')")
    assert said.sqlstate == "ZA004"
    assert f"change {change} is not decided yet" in (said.message_primary or "")
    assert value(db, "select state from agentdb.change") == "pending"
    agent.execute("select agentdb.withdraw_change(%s)", [change])
    # A row of another table with the same number is nobody's business.
    agent.execute("update agentdb_stage.place set name = 'w' where id = 42")
    done = erase(db)
    assert done["change_row"] == 1
    assert "Anna Newname" not in str(
        value(db, "select json_agg(r) from agentdb.change_row as r")
    )
    assert value(
        db, "select row_key from agentdb.change_row where change_id = %s", change
    ) == {"id": pseudonym(db)}  # fmt: skip
    assert value(
        db, "select row_key from agentdb.change_row where change_id > %s", change
    ) == {"id": 42}  # fmt: skip
    waiting = row(
        db, "select change_id, digest from agentdb.change where state = 'pending'"
    )
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert value(
        reviewer, "select state from agentdb.approve_change(%s::bigint, %s::text)",
        waiting["change_id"], waiting["digest"],
    ) == "applied"  # fmt: skip


def test_change_of_another_row_that_tells_of_her_waits_too(
    db: Connection, connect: Connect
) -> None:
    agent, change = staged(db, connect)
    agent.execute("select agentdb.withdraw_change(%s)", [change])
    agent.execute(
        "update agentdb_stage.place set name = 'for Anna Example' where id = 42"
    )
    said = refusal(db, "select agentdb.erase_subject('customer', '42', 'x')")
    assert said.sqlstate == "ZA004"
    assert f"change {change + 1} is" in (said.message_primary or "")


def test_claims_name_the_pseudonym(db: Connection, connect: Connect) -> None:
    register(db)
    db.execute(
        "create table customer (id int primary key, name text);"
        "create table place (id int primary key, name text);"
        "grant select, insert, update, delete on customer, place to agent_a;"
        "select agentdb.audit_table('customer'), agentdb.audit_table('place')"
    )
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("insert into customer values (42, 'Anna Example')")
    agent.execute("insert into place values (42, 'x')")
    agent.execute("select agentdb.claim_rows('customer', 'insert', '[{\"id\": 42}]',"
                  " new_values => '{\"id\": 42, \"name\": \"Anna Example\"}')")  # fmt: skip
    agent.execute("select agentdb.claim_rows('place', 'insert', '[{\"id\": 42}]')")
    agent.execute("select agentdb.claim_file('/tmp/Anna Example.pdf')")
    done = erase(db)
    assert done["claim"] == 2
    found = rows(
        db,
        "select kind, target, expectation, state from agentdb.claim order by claim_id",
    )
    assert found[0]["expectation"] == {
        "operation": "insert", "keys": [{"id": pseudonym(db)}],
    }  # fmt: skip
    assert found[0]["state"] == "unreachable"
    assert found[1]["expectation"] == {"operation": "insert", "keys": [{"id": 42}]}
    assert found[2]["target"] == "/tmp/[erased].pdf"
    assert found[2]["state"] == "unreachable"


STEALING: dict[str, LiteralString] = {
    "update": "update agentdb.audit_log set salt = null, row_key ="
    ' \'{"id": "[erased]"}\', new_values = \'{"id": "[erased]"}\'',
    "pass": "insert into agentdb.erasure_pass (subject) values ('{}')",
    "leaf": "insert into agentdb.erased_leaf values (1, now(), 1, '')",
    "record": "insert into agentdb.erasure (reason) values ('x')",
    "day": "insert into agentdb.removed_day values ('2000-01-01', now(), '1 day')",
    "blank": "select agentdb._blank_log(1, array[1])",
    "erase": "select agentdb.erase_subject('customer', '42', 'x')",
}


@pytest.mark.parametrize("what", STEALING)
@pytest.mark.parametrize("role", ["agent_a", "auditor_u", "reviewer_r", "operator_o"])
def test_nobody_but_the_function_of_operators_erases(
    people: Connection, connect: Connect, role: str, what: str
) -> None:
    session = connect(people.info.dbname, role)
    if (role, what) == ("operator_o", "erase"):
        session.execute(STEALING[what])
        assert verify(session)["intact"] is True
        assert "Anna" not in everything(people)
    else:
        assert refusal(session, STEALING[what]).sqlstate == "42501"


REWRITES: dict[str, LiteralString] = {
    "values": 'update agentdb.audit_log set salt = null, new_values = \'{"city": "Wien"}\'',
    "who": "update agentdb.audit_log set salt = null, run_id = 7",
    "another salt": "update agentdb.audit_log set salt = gen_random_uuid()",
    "blank but salted": "update agentdb.audit_log set new_values ="
    ' \'{"id": "[erased]"}\' where new_values is not null',
    "added values": "update agentdb.audit_log set salt = null, old_values ="
    ' \'{"id": "[erased]"}\' where old_values is null',
    "no values": "update agentdb.audit_log set salt = null, new_values = null",
    "delete": "delete from agentdb.audit_log",
    "a step": "update agentdb.progress_log set step = 'all is well'",
    "its time": "update agentdb.progress_log set recorded_at = recorded_at + '1 s'",
    "a seal": "update agentdb.seal set root = digest",
    "a leaf": "update agentdb.erased_leaf set leaf = ''",
    "a day": "update agentdb.removed_day set day = day - 1",
}


@pytest.mark.parametrize("what", REWRITES)
def test_owner_with_a_pass_can_write_blanks_and_nothing_else(
    people: Connection, connect: Connect, what: str
) -> None:
    register(people)
    agent = connect(people.info.dbname, "agent_a")
    start(agent)
    agent.execute("select agentdb.log_progress('told Anna Example')")
    erase(people, "7")
    people.execute(
        "insert into agentdb.removed_day values ('2000-01-01', now(), '90 days')"
    )
    # Only this transaction has it, and it has gone with the erasure.
    assert value(people, "select count(*) from agentdb.erasure_pass") == 0
    with people.transaction(force_rollback=True):
        people.execute("set local role agentdb_owner")
        people.execute(
            'insert into agentdb.erasure_pass (subject) values (\'{"seek": "Anna",'
            ' "values": "Anna Example", "table": "x", "whole": [], "names": [],'
            ' "sure": [], "pseudonym": "erased-0123456789ab"}\')'
        )
        people.execute("update agentdb.progress_log set step = 'told [erased]'")
        assert refusal(people, REWRITES[what]).sqlstate in ("ZA008", "42501")
    said = refusal(people, "update agentdb.progress_log set step = 'told [erased]'")
    assert said.sqlstate == "ZA008"


def test_pass_of_another_transaction_is_worth_nothing(
    people: Connection, connect: Connect
) -> None:
    people.execute(
        "insert into agentdb.erasure_pass (subject) values"
        ' (\'{"seek": ".", "values": ".*"}\')'
    )
    said = refusal(
        people,
        'update agentdb.audit_log set salt = null, row_key = \'{"id": "[erased]"}\','
        ' new_values = \'{"city": "[erased]"}\', old_values = null',
    )
    assert said.sqlstate == "ZA008"
    # Nor does it keep others from erasing.
    assert erase(people)["audit_log"] == 3


def test_moving_rows_to_their_partition_keeps_the_erasure(people: Connection) -> None:
    seal(people)
    erase(people)
    people.execute("select agentdb.maintain()")
    assert value(people, "select count(*) from agentdb.audit_log_default") == 0
    assert verify(people)["intact"] is True


def test_retention_removes_what_was_erased(people: Connection) -> None:
    age(people, "audit_log", "recorded_at", "91 days")
    seal(people)
    erase(people)
    seal(people)
    for _ in range(2):
        people.execute("select agentdb.maintain()")
    assert value(people, "select count(*) from agentdb.audit_log") == 1
    found = verify(people)
    assert (found["intact"], found["problem"]) == (True, None)
    assert "removed by retention on" in found["removed"]


# What names no row: numbers, words of ours, people who act, and places of things.
ELSEWHERE = """
agent agent_name os_user policy_name|agent_path path want|agent_tool tool_name
alert dismissed_severity fingerprint rule_name severity state acknowledged_by
 acknowledged_severity|alert_group group_key receiver_name route_name told
alert_kin inhibition_name kin|alert_log from_state recorded_by rule_name to_state
alert_rule action description ends_when error evidence_query group_by health remedy
 rule_name severity view_name|audit_layout shape|audit_log application_name new_values
 old_values operation row_key session_role|audit_target attached_name excluded guard
 in_place layout level redacted table_name|baseline measure|budget_override scope
budget_refusal conversation scope|change apply applied_by digest effects kind state undoes
change_decision by_way_of decision digest|change_fact columns deep fingerprint hostile
 layout names path policies table_name|change_row net_operation operation
change_statement form statement|change_table columns layout policies table_name
claim kind state|digest receiver_name time_zone|drift measure|erasure places pseudonym
 reason|erasure_pass subject|event_day capped_by|event_unstored model|fence_target
 lock_name table_name|fenced_write lock_name|group_alert state told told_severity
guarded_table apply auto_approve columns context layout reads table_name validators
 view_name|inhibition equal_labels inhibition_name source target|installation address
 adopted_by refused_address site|intake_problem agent_name emitter path reason
intake_session conversation emitter parent_thread recorded_by thread|lock lock_name outcome
lock_denial lock_name|lock_log ended_by outcome|lock_waiter lock_name|message_channel
 channel_name recipient_column relation_name sent_at_column text_column
notification claimed_by former kind receiver_name state|policy change_binding denied_tools
 description policy_name unbound_writes|progress_log recorded_by|question answered_by
 urgency|quiet_hours max_severity receiver_name time_zone|receiver channel escalate_to
 min_severity receiver_name secret_ref target|record_fault fault|refusal kind others
refusal_count kind|route group_by matchers receiver_name route_name|run conversation
 instance opened_by outcome|run_cost model|run_session how|run_stop kind stopped_by
agent_stop kind stopped_by|epoch system_identifier|moment mark|runner host revision runner_name version|schedule cron error
 time_zone|silence created_by ended_by only_agent only_rule|stop_log action stopped_by
suspension end_reason lock_name reason table_name what|token_log model priced_by
 recorded_by untold|token_reservation conversation|tool input_schema server tool_name
 writes|tool_alias alias tool_name|tool_call call_id run_outcome tool|tool_call_log call_id
 recorded_by tool|tool_day tool|tool_fault fault|tool_minute tool|unproven_log conversation
 emitter kind recorded_by thread|verdict verdict|web_action action sqlstate subject
web_person subject
"""


def test_every_text_is_looked_at_or_known_to_tell_of_nobody(db: Connection) -> None:
    found = {
        (each["relname"], each["attname"])
        for each in rows(
            db,
            "select c.relname, a.attname from pg_class as c join pg_attribute as a"
            " on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " where c.relnamespace = 'agentdb'::regnamespace and c.relkind in ('r', 'p')"
            " and not c.relispartition and c.relname <> 'alembic_version'"
            " and a.atttypid in ('text'::regtype, 'jsonb'::regtype, 'text[]'::regtype)",
        )
    }
    seen = {
        (each["place"], column)
        for each in rows(db, "select place, columns from agentdb._copies()")
        for column in each["columns"]
    }
    known = set()
    for group in ELSEWHERE.replace("\n ", " ").replace("\n", "|").split("|"):
        table, *columns = group.split() or [""]
        known |= {(table, column) for column in columns}
    assert seen <= found
    assert found - seen - known == set()
    assert known - found == set()
    assert known & seen == set()


def test_command_asks_says_and_erases(
    people: Connection, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = server.dsn(database=people.info.dbname)
    typed = ["erase", "customer", "42", "--reason", "ticket 1", "--term", "Annie E."]
    said = run(monkeypatch, typed, dsn)
    assert said.code == 2
    assert "--yes" in said.err
    dry = run(monkeypatch, [*typed, "--dry-run"], dsn)
    assert dry.code == 0
    assert "audit_log: 3 rows" in dry.out
    assert "nothing was changed" in dry.out
    assert ANNA in everything(people)
    assert value(people, "select count(*) from agentdb.erasure") == 0
    done = run(monkeypatch, [*typed, "--yes"], dsn)
    assert done.code == 0
    assert pseudonym(people) in done.out
    assert ANNA not in everything(people)
    again = run(monkeypatch, [*typed[:5], "--yes"], dsn)
    assert again.code == 1
    assert "nothing is recorded of a row" in again.err
    assert (
        run(monkeypatch, ["erase", "nothing", "1", "--reason", "x", "--yes"], dsn).code
        == 1
    )


def test_erasure_after_a_later_transaction_keeps_the_seals(
    db: Connection, connect: Connect
) -> None:
    """Its own transaction is open when it seals, though a later one is over."""
    db.execute("create table person (id int primary key, name text)")
    db.execute("select agentdb.audit_table('person')")
    db.execute("insert into person values (1, 'Anna Example'), (2, 'Bert Sample')")
    other = connect(db.info.dbname, "postgres")
    with db.transaction():
        db.execute("create table something (id int)")
        other.execute("update person set name = 'Bert S.' where id = 2")
        db.execute("select agentdb.erase_subject('person', '1', 'ticket 9')")
    other.execute("select agentdb.seal_audit()")
    said = row(other, "select intact, problem from agentdb.verify_audit()")
    assert said == {"intact": True, "problem": None}
