"""Keys of the common kinds, planted wherever a program says something, and looked for.

They are put together here, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import base64
from typing import Any

from .agents import rows
from .conftest import Connection

BODY = "Zk3Qv9Lx2Rt7Wp5Ym8Hs4Nd6Bc1Jf0Ga"
PEM = "-----BEGIN {0} KEY-----\n" + BODY * 2 + "\n-----END {0} KEY-----"
KEYS = {
    "openai": f"sk-proj-{BODY}",
    "anthropic": f"sk-ant-api03-{BODY}",
    "aws": "AKIA" + "IOSFODNN7QXAMPLE",
    "github": f"ghp_{BODY}{BODY[:4]}",
    "gitlab": f"glpat-{BODY[:20]}",
    "slack": f"xoxb-123456789012-{BODY}",
    "stripe": f"sk_live_{BODY[:24]}",
    "google": f"AIza{BODY}Xyz",
    "sendgrid": f"SG.{BODY[:22]}.{BODY}",
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.{BODY}",
    "pem": PEM.format("RSA PRIVATE"),
    "bearer": f"Authorization: Bearer {BODY}",
}
TABLES = """
select format('select t::text as text from %s as t', c.oid::regclass) as query
from pg_class as c
where c.relkind in ('r', 'm') and c.relnamespace in (
  select oid from pg_namespace where nspname in ('agentdb', 'agentdb_stage', 'public'))
"""


def prose(name: str) -> str:
    """Return a sentence of a model that holds a key."""
    return f"it was refused: {KEYS[name]} is no good"


def everything(db: Connection) -> str:
    """Return all that the database holds, as text."""
    parts = [
        each["text"]
        for table in rows(db, TABLES)
        for each in rows(db, table["query"].replace("%", "%%"))
    ]
    # A quote within a row is doubled, and a line ends with a letter in JSON.
    return "\n".join(parts).replace('""', '"')


def leaked(db: Connection) -> list[str]:
    """Return of which kinds something is found in the database."""
    found = everything(db)
    assert "[secret]" in found, "nothing was blanked out: was anything recorded?"
    forms: dict[str, Any] = {
        name: (key.rpartition(" ")[2] if name == "bearer" else key).split("\n")
        for name, key in KEYS.items()
    }
    # Of a key within a PEM the lines between the first and the last are the secret.
    forms["pem"] = forms["pem"][1:-1]
    return [
        name
        for name, lines in forms.items()
        if any(
            each in found or base64.b64encode(each.encode()).decode() in found
            for each in lines
        )
    ]
