"""Who may do what with a file: owner, mode, access list, and the command that fixes."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shlex
import stat
import struct
from dataclasses import dataclass

ACCESS_LIST = "system.posix_acl_access"
# struct posix_acl_xattr_entry of Linux: tag, permissions, id.
ENTRY = struct.Struct("<HHI")
TAGS = {1: "user:", 2: "user:", 4: "group:", 8: "group:", 16: "mask:", 32: "other:"}
NAMED = {2: pwd.getpwuid, 8: grp.getgrgid}


@dataclass(frozen=True)
class Person:
    """The user and groups that a question is asked for."""

    uid: int
    groups: frozenset[int]

    @property
    def name(self) -> str:
        """The user's name, or number where it has none."""
        return user_name(self.uid)

    @classmethod
    def present(cls) -> Person:
        """Return whoever this process acts as."""
        return cls(os.geteuid(), frozenset({os.getegid(), *os.getgroups()}))


def user_name(uid: int) -> str:
    """Return a user's name, or number where it has none."""
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def group_name(gid: int) -> str:
    """Return a group's name, or number where it has none."""
    with contextlib.suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)


def described(status: os.stat_result) -> str:
    """Return owner, group and mode as `ls -l` shows them."""
    owner, group = user_name(status.st_uid), group_name(status.st_gid)
    return f"{owner}:{group} {stat.filemode(status.st_mode)}"


def access_list(handle: int) -> str:
    """Return the POSIX access list of an open file in short form, empty for none."""
    try:
        raw = os.getxattr(f"/proc/self/fd/{handle}", ACCESS_LIST)
    except (OSError, AttributeError):
        return ""
    return ",".join(_entry(*entry) for entry in ENTRY.iter_unpack(raw[4:]))


def _entry(tag: int, permissions: int, number: int) -> str:
    name = ""
    if tag in NAMED:
        name = user_name(number) if tag == 2 else group_name(number)
    letters = "".join(
        letter if permissions & bit else "-"
        for letter, bit in (("r", 4), ("w", 2), ("x", 1))
    )
    return f"{TAGS.get(tag, '?')}{name}:{letters}"


def fix(path: str, status: os.stat_result, person: Person, need: str) -> str:
    """Return the one command that gives a person a permission and others little.

    ``need`` is r, w or x.  Where the person is neither owner nor in the group, an
    access list names them alone.
    """
    target = shlex.quote(path)
    if status.st_uid == person.uid:
        return f"chmod u+{need} {target}"
    if status.st_gid in person.groups:
        return f"chmod g+{need} {target}"
    return f"setfacl -m u:{shlex.quote(person.name)}:{need} {target}"
