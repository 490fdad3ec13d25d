"""The operating system user that PostgreSQL runs as, and what it can reach."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import LocalServerError

USER_VARIABLE = "AGENTDB_PG_USER"
UNPRIVILEGED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @property
    def is_ours(self) -> bool:
        """Tell whether this is the user we run as."""
        return self.uid == os.geteuid()

    def can_write(self, directory: Path) -> bool:
        """Tell whether the user can reach a directory and create files in it."""
        return self._passes('test -x "$0" && test -w "$0"', directory)

    def can_run(self, program: Path) -> bool:
        """Tell whether the user can reach and execute a program."""
        return self._passes('"$0" --version', program)

    def obstacle(self, directory: Path) -> Path:
        """Return the first directory on the way that the user cannot enter."""
        way = [*reversed(directory.parents), directory]
        return next((p for p in way if not self._passes('test -x "$0"', p)), directory)

    def take(self, directory: Path) -> None:
        """Make the user the owner of a directory and of all that is in it."""
        if self.is_ours:
            return
        os.chown(directory, self.uid, self.gid)
        for folder, folders, files in os.walk(directory):
            for name in folders + files:
                os.chown(Path(folder, name), self.uid, self.gid, follow_symlinks=False)

    def _passes(self, test: str, path: Path) -> bool:
        # Asked of the system as that user: access lists and mounts have a say
        # that mode bits do not show.
        other = not self.is_ours
        try:
            status = subprocess.call(
                ["sh", "-c", test, path],  # noqa: S607
                cwd="/",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                user=self.uid if other else None,
                group=self.gid if other else None,
                extra_groups=[] if other else None,
            )
        except OSError as error:
            raise LocalServerError(
                f"PostgreSQL does not run as root, and we cannot become {self.name}: "
                f"{error.strerror}"
            ) from error
        return status == 0


def server_account() -> Account:
    """Return ourselves or, as PostgreSQL refuses root, somebody unprivileged."""
    if os.geteuid() != 0:
        return Account(f"{os.geteuid()}", os.geteuid(), os.getegid())
    wanted = os.environ.get(USER_VARIABLE)
    for name in (wanted,) if wanted else UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise LocalServerError(
        "PostgreSQL does not run as root, and there is no user "
        f"{wanted or ' or '.join(UNPRIVILEGED)} to run it: "
        f"name an unprivileged user in {USER_VARIABLE}"
    )
