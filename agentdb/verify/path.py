"""Walks a path component by component, and says which one is in the way and why.

Each component is opened with O_PATH and O_NOFOLLOW relative to the one before, so
nothing can be swapped in between, and neither a FIFO nor a device is ever opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from typing import Any

from .access import Person, access_list, described, fix

# As Linux resolves paths (MAXSYMLINKS).
MAX_LINKS = 40
HERE = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
COMPONENT = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
MODES = {"read": os.O_RDONLY, "write": os.O_WRONLY}
NEEDS = {"read": "r", "write": "w"}


class Obstacle(Exception):
    """What is in the way: a verdict, the component, and what is known of it."""

    def __init__(self, verdict: str, component: str, detail: str, **more: str) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.found = {"verdict": verdict, "component": component, "detail": detail}
        self.found |= {name: text for name, text in more.items() if text}


class Walk:
    """A walk along a path: where it is, and by which links it came there."""

    def __init__(self, person: Person, *, climbs: bool = True) -> None:
        self.person = person
        self.here = "/"
        self.links: list[str] = []
        # Components that are still to be walked.
        self.left: deque[str] = deque()
        self._climbs = climbs
        self._handle = os.open("/", HERE)

    def __enter__(self) -> Walk:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._handle)

    @property
    def status(self) -> os.stat_result:
        """Owner, mode, size and times of where the walk is."""
        return os.fstat(self._handle)

    def go(self, path: str) -> None:
        """Walk to the end of an absolute path, or raise the Obstacle."""
        self.left.extend(_components(path))
        while self.left:
            name = self.left.popleft()
            if name == ".." and not self._climbs:
                raise Obstacle("refused", self.here, f"{path} has .. in it")
            self.left.extendleft(reversed(self._step(name)))

    def open(self, want: str) -> int:
        """Open the file or directory for reading or writing, changing nothing."""
        kind = stat.S_IFMT(self.status.st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            detail = f"{self.here} is neither a file nor a directory"
            raise Obstacle("not_regular", self.here, detail, owner=self._owner)
        mode = MODES[want] if kind == stat.S_IFREG else os.O_RDONLY
        try:
            opened = os.open(self._name, mode | os.O_NONBLOCK | os.O_CLOEXEC)
            if kind == stat.S_IFDIR and want == "write":
                self._check_entry()
        except OSError as error:
            raise self._closed(error, want) from error
        return opened

    def _check_entry(self) -> None:
        """Raise the error that making a file in this directory would meet."""
        if os.fstatvfs(self._handle).f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if not os.access(self._name, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    def _closed(self, error: OSError, want: str) -> Obstacle:
        name, said = self.person.name, f"{self.here} exists ({self._owner})"
        if error.errno == errno.EROFS:
            detail = f"{said}, on a file system that is mounted read-only: EROFS"
            return Obstacle("read_only", self.here, detail)
        if error.errno == errno.EACCES:
            verdict = {"read": "unreadable", "write": "unwritable"}[want]
            detail = f"{said}, and {name} may not {want} it: EACCES"
            return self._mendable(verdict, detail, NEEDS[want])
        return Obstacle("error", self.here, f"{said}: {_named(error)}")

    def _step(self, name: str) -> list[str]:
        """Enter a component; of a link, return the components of its target."""
        full = os.path.normpath(os.path.join(self.here, name))
        try:
            entered = os.open(name, COMPONENT, dir_fd=self._handle)
        except OSError as error:
            raise self._obstacle(error, full) from error
        if not stat.S_ISLNK(os.fstat(entered).st_mode):
            os.close(self._handle)
            self._handle, self.here = entered, full
            return []
        try:
            return self._follow(os.readlink("", dir_fd=entered), full)
        finally:
            os.close(entered)

    def _follow(self, target: str, full: str) -> list[str]:
        self.links.append(f"{full} -> {target}")
        if len(self.links) > MAX_LINKS:
            raise Obstacle("link_loop", full, f"{full} is a link without end: ELOOP")
        if target.startswith("/"):
            os.close(self._handle)
            self._handle, self.here = os.open("/", HERE), "/"
        return _components(target)

    def _obstacle(self, error: OSError, full: str) -> Obstacle:
        if error.errno == errno.EACCES:
            detail = f"{self.person.name} may not search {self.here}: EACCES"
            return self._mendable("no_search", detail, "x")
        if error.errno == errno.ENOTDIR:
            detail = f"{self.here} is not a directory: ENOTDIR"
            return Obstacle("not_a_directory", self.here, detail, owner=self._owner)
        if error.errno != errno.ENOENT:
            return Obstacle("error", full, f"{full}: {_named(error)}")
        if self.links:
            detail = f"{self.links[-1]}, and {full} does not exist: ENOENT"
            return Obstacle("dangling_link", full, detail)
        detail = f"{full} does not exist, and {self.here} can be searched: ENOENT"
        return Obstacle("missing", full, detail)

    def _mendable(self, verdict: str, detail: str, need: str) -> Obstacle:
        return Obstacle(
            verdict,
            self.here,
            detail,
            owner=self._owner,
            access_list=access_list(self._handle),
            fix=fix(self.here, self.status, self.person, need),
        )

    @property
    def _owner(self) -> str:
        return described(self.status)

    @property
    def _name(self) -> str:
        return f"/proc/self/fd/{self._handle}"


def probe(path: str, want: str = "read") -> dict[str, Any]:
    """Say whether whoever this process acts as can read or write a path, or why not.

    The verdict is ok, missing, dangling_link, no_search, unreadable, unwritable,
    read_only, not_a_directory, not_regular, link_loop, invalid or error.
    """
    person = Person.present()
    answer: dict[str, Any] = {"path": path, "as": person.name, "want": want}
    if not path.startswith("/") or "\0" in path:
        detail = "an absolute path without NUL is wanted"
        return answer | {"verdict": "invalid", "detail": detail}
    with Walk(person) as walk:
        try:
            _reach(walk, path, want)
        except Obstacle as obstacle:
            return answer | {"links": list(dict.fromkeys(walk.links))} | obstacle.found
        status = walk.status
        return answer | {
            "links": list(dict.fromkeys(walk.links)),
            "verdict": "ok",
            "component": walk.here,
            "owner": described(status),
            "size": status.st_size,
        }


def _reach(walk: Walk, path: str, want: str) -> None:
    """Walk and open; what is to be written may be missing from its directory."""
    try:
        walk.go(path)
    except Obstacle as obstacle:
        if want != "write" or obstacle.verdict != "missing" or walk.left:
            raise
    os.close(walk.open(want))


def _components(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _named(error: OSError) -> str:
    number = error.errno or 0
    return f"{os.strerror(number)}: {errno.errorcode.get(number, number)}"
