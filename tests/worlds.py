"""Random tables with rights, policies, triggers and statements, twice in one database.

The same tables are in schema direct, where a role writes them as it likes, and in
schema guarded, where the same statements are staged, approved and applied.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

WHERE = ("direct", "guarded")
READ = re.compile(r"\{([a-z])\}")
# What the first rows have; n is their number.
FIRST = {"a": "n", "b": "'x' || n", "c": "n * 1.5", "u": "n", "v": "n", "q": "1 + n % 3",
         "e": "jsonb_build_object('n', n)"}  # fmt: skip
# A column: its type, and what it is given; {n} is its own name.
COLUMNS = {
    "a": ("int check (a < 9)", ["1", "5", "8", "9", "null", "{a} + 1", "-3"]),
    "b": ("text", ["'x'", "'y'", "null", "''", "{b} || '.'", "'x' || {k}::text"]),
    "c": ("numeric(6, 2) default 1.5", ["2", "2.00", "null", "{c} * 3", "99999", "default"]),
    "d": ("int[] default '{1,2}'", ["'{3}'", "{d} || 7", "null", "'[0:1]={1,NULL}'", "'{}'"]),
    "e": ("jsonb", ["'{}'", "'null'", "null", "'[1]'", "'{\"p\": {\"q\": 1}}'", "to_jsonb({k})"]),
    "f": ("float8", ["0", "'-0'", "1e300", "'Infinity'", "null", "0.1 + 0.2"]),
    "i": ("interval", ["'1 day'", "'24 hours'", "'-1 mon 2 days'", "null"]),
    "m": ("mood default 'calm'", ["'calm'", "'cross'", "null", "default"]),
    "p": ("short", ["'one'", "'far too long'", "null", "upper({p})"]),
    "r": ("int4range", ["'[1,3]'", "'(,5)'", "'empty'", "null"]),
    "w": ("timestamptz", ["'infinity'", "'2026-01-01 12:00+05'", "null"]),
    "u": ("int unique", ["1", "2", "3", "{u} + 1", "null", "{k}"]),
    "v": ("int, unique (v) deferrable", ["1", "2", "{v} + 1", "null"]),
    "q": ("int references parent on delete {action}", ["1", "2", "3", "77", "null"]),
    "y": ("varchar(4) not null default 'y'", ["'y'", "'z'", "null", "'wide'", "'wider'", "default"]),
}  # fmt: skip
GENERATED = {
    "a": ("ga", "int generated always as (a * 2) stored"),
    "b": ("gb", "text generated always as (coalesce(b, '') || '!') stored"),
}
TYPES = """
create type {s}.mood as enum ('calm', 'cross');
create domain {s}.short as text check (length(value) < 6);
create table {s}.parent (id int primary key, n int);
create table {s}.other (id int, v int, s text);
create table {s}.seen (what text, k text);
"""
LOG = """
create function {s}.note () returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp as $$
begin
  insert into {s}.seen values (tg_op, case tg_op when 'DELETE' then old.k::text
    else new.k::text end);
  return null;
end $$;
create trigger note after insert or update or delete on {s}.t
  for each row execute function {s}.note()
"""
TOUCH = """
alter table {s}.t add touched int not null default 0;
create function {s}.touch () returns trigger language plpgsql as $$
begin new.touched := old.touched + 1; return new; end $$;
create trigger touch before update on {s}.t for each row execute function {s}.touch()
"""
# What an UPDATE of a key does to those that refer to it, and keeps of what is not shown.
CHILD = """
create table {s}.child (id int primary key, k {key} references {s}.t on delete cascade
  on update {followed});
grant select, insert, update, delete on {s}.child to agentdb_applier
"""
SECRET = "alter table {s}.t add z text default 'new'"
POLICIES = """
alter table {s}.t add who text default 'agent_a';
alter table {s}.t enable row level security;
create policy pack on {s}.t to agentdb_owner, agentdb_capture, agentdb_applier
  using (true);
create policy theirs on {s}.t to agent_a using (who = current_user);
create policy all_in on {s}.t for insert to agent_a with check (who is not null);
create policy small on {s}.t as restrictive for update using (k::text < '7')
"""


@dataclass
class World:
    """Tables, and statements on them."""

    seed: int
    version: int
    names: list[str] = field(default_factory=list)
    triggers: bool = False
    policies: bool = False
    child: bool = False
    secret: bool = False
    closed: int = 0
    told: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.names = sorted(
            self.random.sample(sorted(COLUMNS), self.random.randint(3, 6))
        )
        self.triggers = self.random.random() < 0.35
        self.policies = self.version >= 150000 and self.random.random() < 0.3
        self.key = self.random.choice(["int", "int", "text", "bigint"])
        self.some_columns = not self.policies and self.random.random() < 0.3

    def chance(self, share: float) -> bool:
        """Tell whether something is so this time."""
        return self.random.random() < share

    def setup(self) -> list[str]:
        """Return what makes the tables of both schemas."""
        pick = self.random
        action = pick.choice(["cascade", "set null", "no action"])
        columns = [f"{name} {COLUMNS[name][0]}" for name in self.names]
        columns += [
            " ".join(GENERATED[n])
            for n in self.names
            if n in GENERATED and self.chance(0.6)
        ]
        self.computed = [c.split()[0] for c in columns if " generated " in c]
        table = f"k {self.key} primary key, {', '.join(columns)}".replace(
            "{action}", action
        )
        self.touches = self.triggers and self.chance(0.5)
        self.child = self.chance(0.5)
        # What is not recorded could not be taken back: nothing is undone there.
        self.secret = self.triggers and self.chance(0.3)
        followed = pick.choice(["cascade", "cascade", "set null", "no action"])
        child = CHILD.replace("{key}", self.key).replace("{followed}", followed)
        given = ((LOG, self.triggers), (TOUCH, self.touches), (POLICIES, self.policies),
                 (child, self.child), (SECRET, self.secret))  # fmt: skip
        extra = [text for text, wanted in given if wanted]
        granted = self.grants()
        said: list[str] = []
        for schema in WHERE:
            said += [
                f"create schema {schema}; grant usage on schema {schema} to public",
                TYPES.format(s=schema),
                f"set search_path = {schema}; create table t ({table}); reset search_path",
                *(text.replace("{s}", schema) for text in extra),
                f"grant select, insert, delete, {granted} on {schema}.t to agent_a",
                f"grant select, insert, update, delete on {schema}.parent to agent_a",
                f"grant select on {schema}.other, {schema}.seen to agent_a",
            ]
        if self.secret:
            said.append("select agentdb.audit_table('guarded.t', exclude => '{z}')")
        return [*said, "select agentdb.guard_table('guarded.parent')",
                "select agentdb.guard_table('guarded.t')"]  # fmt: skip

    def grants(self) -> str:
        """Return the right to update all columns, or some."""
        if not self.some_columns:
            return "update"
        some = self.random.sample(self.names, self.random.randint(1, len(self.names)))
        return f"update ({', '.join(some)})"

    def rows(self, schema: str) -> list[str]:
        """Return what empties the tables and fills them again."""
        filled = [n for n in self.names if n in FIRST]
        return [
            f"truncate {schema}.t, {schema}.parent, {schema}.other, {schema}.seen cascade",
            f"insert into {schema}.parent values (1, 1), (2, 2), (3, 3), (4, 4)",
            f"insert into {schema}.other values (1, 3, 'x'), (1, 3, 'x'), (2, 4, 'y'),"
            " (9, 1, null)",
            f"insert into {schema}.t (k{''.join(', ' + n for n in filled)})"
            f" select n{''.join(', ' + FIRST[n] for n in filled)}"
            " from generate_series(1, 4) as n",
            *[f"insert into {schema}.child values (1, '1'), (2, '2'), (3, '2')"]
            * self.child,
            *[f"update {schema}.t set z = 'kept'"] * self.secret,
        ]

    def value(self, name: str, *, old: bool) -> str:
        """Return an expression for a column, which may read the old row."""
        given = self.random.choice(COLUMNS[name][1])
        if not READ.search(given):
            return given
        if not old:
            return "'y'" if name == "y" else "null"
        if name == "u":
            given = given.replace("{k}", "least(length({k}::text), 9)")
        return READ.sub(r"t.\1", given)

    def new_key(self) -> str:
        """Return a key, seldom one that is there."""
        number = self.random.choice([5, 6, 7, 8, 9, 10, 11, 12, 1, 3])
        return f"'{number}'"

    def condition(self) -> str:
        """Return a condition on t."""
        choices = [
            f"t.k = {self.random.choice(['1', '2', '3', '5'])!r}",
            f"t.k in ('1', '4', {self.new_key()})",
            "t.k::text < '3'",
            "true",
            "exists (select from parent as p where p.id::text = t.k::text and p.n > 1)",
            "t.k = (select max(x.k) from t as x)",
        ]
        for name in (*self.names, *self.computed):
            choices.append(f"t.{name} is {self.random.choice(['', 'not '])}null")
        return self.random.choice(choices)

    def returning(self) -> str:
        """Return a clause that shows the row, or nothing."""
        if self.chance(0.4):
            return ""
        shown = [f"t.{name}::text" for name in (*self.names, *self.computed)]
        return f" returning t.k, {', '.join(shown)}"

    def assignments(self) -> str:
        """Return what an UPDATE sets."""
        names = self.random.sample(self.names, self.random.randint(1, 2))
        return ", ".join(f"{n} = {self.value(n, old=True)}" for n in names)

    def inserted(self, source: str = "") -> str:
        """Return the columns and values of an INSERT."""
        names = self.random.sample(self.names, self.random.randint(1, len(self.names)))
        names = [n for n in names if not (n == "y" and source)]
        if source:
            return f"(k{''.join(f', {n}' for n in names)}) {source.format(''.join(f', t.{n}' for n in names))}"
        rows = [
            f"({self.new_key()}{''.join(', ' + self.value(n, old=False) for n in names)})"
            for _ in range(self.random.choice([1, 1, 2]))
        ]
        return f"(k{''.join(f', {n}' for n in names)}) values {', '.join(rows)}"

    def statement(self) -> str:
        """Return one statement."""
        self.told += 1
        kinds = ["insert", "insert", "copy", "update", "update", "update", "delete",
                 "join", "join", "using", "with", "key", "key", "parent",
                 "idle"]  # fmt: skip
        if self.version >= 170000:
            kinds.append("merge")
        if self.chance(0.02):
            self.closed += 1
            return f"insert into t {self.inserted()} on conflict do nothing"
        return str(getattr(self, f"_{self.random.choice(kinds)}")())

    def _insert(self) -> str:
        return f"insert into t as t {self.inserted()}{self.returning()}"

    def _copy(self) -> str:
        apart = self.random.choice(["'2'", "'3'"])
        key = f"({apart} || t.k::text)::{self.key}"
        source = f"select {key}{{}} from t where {self.condition()}"
        return f"insert into t as t {self.inserted(source)}{self.returning()}"

    def _update(self) -> str:
        return f"update t set {self.assignments()} where {self.condition()}{self.returning()}"

    def _idle(self) -> str:
        name = self.random.choice(self.names)
        return (
            f"update t set {name} = {name} where {self.condition()}{self.returning()}"
        )

    def _delete(self) -> str:
        return f"delete from t where {self.condition()}{self.returning()}"

    def _join(self) -> str:
        return (
            f"update t set {self.assignments()} from other as o"
            f" where o.id::text = t.k::text and {self.condition()}{self.returning()}"
        )

    def _using(self) -> str:
        return f"delete from t using other as o where {self.condition()} and o.v > 2{self.returning()}"

    def _with(self) -> str:
        return (
            f"with gone as (delete from t where {self.condition()} returning t.k)"
            " select count(*) from gone"
        )

    def _key(self) -> str:
        moved = self.random.choice([f"('4' || t.k::text)::{self.key}", self.new_key()])
        which = self.random.choice(["2", "2", "1", "5", "42"])
        also = f", {self.assignments()}" if self.chance(0.3) else ""
        return (
            f"update t set k = {moved}{also} where {self.condition()}"
            f" and t.k = '{which}'{self.returning()}"
        )

    def _parent(self) -> str:
        return self.random.choice(
            [
                "delete from parent where id = 3",
                "update parent set n = n + 1 where id < 3 returning id, n",
                "insert into parent values (77, 7)",
                "update parent set n = p.n from parent as p where p.id < parent.id"
                " and p.id = 1 returning parent.id, parent.n",
            ]
        )

    def _merge(self) -> str:
        name = self.random.choice(self.names)
        return (
            f"merge into t as t using (values ('1'::{self.key}), ('8')) as s (k)"
            f" on t.k = s.k when matched and {self.condition()} then delete"
            f" when matched then update set {name} = {self.value(name, old=True)}"
            " when not matched then insert (k) values (s.k)"
        )

    def story(self) -> list[str]:
        """Return the statements of a transaction.

        Triggers of a row that is written twice fire once where it is staged: there is
        one statement.
        """
        count = 1 if self.triggers else self.random.randint(1, 4)
        story = [self.statement() for _ in range(count)]
        # What cascades do is not seen before the change is applied.
        gone = [each for each in story if each.startswith("delete from parent")]
        return [each for each in story if each not in gone] + gone[:1]
