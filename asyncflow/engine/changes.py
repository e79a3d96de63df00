"""What has changed since a page was made: the scheduler's commits and loaded files, told to whoever shows them.

Keeps the last changes, so that a browser that was away can learn whether what it shows is still right. Only names are
kept: what changed is read again by whoever wants to know.
"""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from asyncflow.core.commands import Write

#: changes that are kept for those who were away
KEPT = 2048
#: a mark with so many in one of its numbers is none of ours
_DIGITS = 20

#: what is noted in place of a DAG's id for what is of no DAG; no DAG's id begins with a blank
POOLS, VARIABLES, CONNECTIONS = " pools", " variables", " connections"

Named = tuple[str, str]  #: (dag_id, run_id); run_id "" = the DAG itself; both "" = something that is of no DAG
Listener = Callable[[frozenset[Named]], None]


class Mark(NamedTuple):
    """A moment in the life of one server."""

    server: str  #: random, new with each start: what happened while there was none is not known
    seq: int  #: last line of the journal
    other: int  #: changes that have no line there, counted

    def __str__(self) -> str:
        return f"{self.server}-{self.seq}-{self.other}"


class Changes:
    """Takes notes and passes them on; in one thread, without waiting for anybody."""

    def __init__(self) -> None:
        self.mark = Mark(secrets.token_hex(4), 0, 0)
        self._notes: deque[tuple[Mark, frozenset[Named]]] = deque(maxlen=KEPT)
        self._floor = self.mark  #: everything after it is in `_notes`
        self._listeners: list[Listener] = []

    def committed(self, writes: Sequence[Write], seq: int) -> None:
        """After a commit, whose last line in the journal is `seq`."""
        mark = self.mark._replace(seq=max(seq, self.mark.seq))
        if mark == self.mark:  # no line of the journal is about it, yet a page that was made before must hear of it
            mark = mark._replace(other=mark.other + 1)
        self._note(mark, frozenset(map(_named, writes)))

    def noted(self, dag_id: str = "") -> None:
        """Something changed that is not in the journal: a file was loaded, a pool was made."""
        self._note(self.mark._replace(other=self.mark.other + 1), frozenset({(dag_id, "")}))

    def _note(self, mark: Mark, names: frozenset[Named]) -> None:
        self.mark = mark
        if len(self._notes) == KEPT:
            self._floor = self._notes[0][0]
        self._notes.append((mark, names))
        for listener in self._listeners:
            listener(names)

    def since(self, text: str) -> frozenset[Named] | None:
        """What changed after the moment that `str(mark)` named; None = too long ago, or another server's."""
        mark = read_mark(text)
        if mark is None or mark.server != self.mark.server or not self._floor <= mark <= self.mark:
            return None
        first = bisect_right(self._notes, mark, key=lambda note: note[0])
        return frozenset().union(*(self._notes[at][1] for at in range(first, len(self._notes))))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called at each change, until the function that is returned is called. It must not block."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)


def _named(write: Write) -> Named:
    """The run, or the DAG, that a write is about."""
    for holder in (write, *(getattr(write, name, None) for name in ("key", "ti", "run", "backfill"))):
        dag_id = getattr(holder, "dag_id", None)
        if dag_id:
            return dag_id, getattr(holder, "run_id", "") or ""
    return "", ""


def read_mark(text: str) -> Mark | None:
    """What `str(mark)` wrote; None for anything else."""
    server, _, rest = text.partition("-")
    seq, _, other = rest.partition("-")
    ours = all(part.isdecimal() and len(part) < _DIGITS for part in (seq, other))
    return Mark(server, int(seq), int(other)) if ours else None
