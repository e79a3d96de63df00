"""The scheduler loop: drain facts, decide in pure code, commit once, act, wait.

Everything that changes the world comes in as a small function `(world, now) -> result`, from messages of children
(`tell`) and from actions of people (`do`, which answers after the commit). All of one turn share one transaction, so
that nothing is started and no answer is given before the state it rests on is on disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import anyio

from asyncflow.core.commands import Act, Write
from asyncflow.core.world import World
from asyncflow.engine.clock import Clock

log = logging.getLogger(__name__)
T = TypeVar("T")
Decision = Callable[[World, datetime], T]

#: Seconds between two attempts to commit while the disk is full or broken; the turn's writes are kept meanwhile.
FIRST_RETRY, LAST_RETRY = 0.2, 10.0


class Committer(Protocol):
    """What the loop needs of the store."""

    async def commit(self, writes: Sequence[Write]) -> int: ...


class Keeper(Protocol):
    """Keeps the callbacks that a turn makes due, from its transaction on."""

    def prepare(self, acts: Sequence[Act]) -> list[Write]: ...

    def committed(self) -> None: ...


class _Turn:
    """One thing to do in the next turn of the loop."""

    __slots__ = ("decide", "done", "error", "result", "then")

    def __init__(self, decide: Decision[Any], then: Callable[[], None] | None, done: anyio.Event | None) -> None:
        self.decide = decide
        self.then = then
        self.done = done
        self.result: Any = None
        self.error: Exception | None = None


class Scheduler:
    """Owns the world; `run()` is its loop."""

    def __init__(
        self,
        *,
        world: World,
        store: Committer,
        clock: Clock,
        carry_out: Callable[[Act], None],
        after_commit: Callable[[Sequence[Write], int], None] | None = None,
        scheduling: bool = True,
    ) -> None:
        self.world = world
        self.store_trouble: str | None = None  #: why the last commit failed, None while all is well
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._after_commit = after_commit
        self.scheduling = scheduling  #: False: only what is asked for is done (commands without a server)
        self.keeper: Keeper | None = None  #: None: nobody runs callbacks (commands without a server)
        #: set while there is nothing to do: threads that make something for people's pages give way
        self.at_rest = threading.Event()
        self.at_rest.set()
        self._inbox: list[_Turn] = []
        self._wake = anyio.Event()

    @property
    def waiting(self) -> int:
        """How many facts and wishes wait for the next turn."""
        return len(self._inbox)

    def tell(self, decide: Decision[object], then: Callable[[], None] | None = None) -> None:
        """Have `decide` run in the next turn; `then` is called once its effects are committed."""
        self._put(_Turn(decide, then, None))

    async def do(self, decide: Decision[T]) -> T:
        """Have `decide` run in the next turn and return its result (or raise its error) after the commit."""
        turn = _Turn(decide, None, anyio.Event())
        self._put(turn)
        assert turn.done is not None
        await turn.done.wait()
        if turn.error is not None:
            raise turn.error
        result: T = turn.result
        return result

    def _put(self, turn: _Turn) -> None:
        self.at_rest.clear()
        self._inbox.append(turn)
        self._wake.set()

    async def run(self) -> None:
        """Loop until cancelled."""
        while True:
            # Re-armed before the inbox is read, so that a fact which arrives during the turn is not slept through.
            self._wake = anyio.Event()
            self.at_rest.clear()
            await self.turn()
            if not self._inbox:
                self.at_rest.set()
                await self._clock.wait(self._wake, self.world.next_wakeup() if self.scheduling else None)

    async def turn(self) -> None:
        """One pass: everything in the inbox, one commit, then the acts."""
        turns, self._inbox = self._inbox, []
        now = self._clock.now()
        for turn in turns:
            self._decide(turn, now)
        if self.scheduling:
            self.world.poll(now)
        effects = self.world.drain()
        if self.keeper is not None:
            effects.writes += self.keeper.prepare(effects.acts)
        if effects.writes:
            seq = await self._commit(effects.writes)
            if self._after_commit is not None:
                self._after_commit(effects.writes, seq)
        for act in effects.acts:
            self._carry_out(act)
        if self.keeper is not None:
            self.keeper.committed()
        _answer(turns)

    def _decide(self, turn: _Turn, now: datetime) -> None:
        try:
            turn.result = turn.decide(self.world, now)
        except Exception as error:
            turn.error = error
            if turn.done is None:
                log.exception("A message could not be applied")

    async def _commit(self, writes: Sequence[Write]) -> int:
        delay = FIRST_RETRY
        while True:
            try:
                seq = await self._store.commit(writes)
            except OSError as error:  # the store's DiskTrouble is one: full, read-only, I/O error
                self.store_trouble = str(error)
                log.error("The database cannot be written, nothing new is started: %s", error)
                await anyio.sleep(delay)
                delay = min(delay * 2, LAST_RETRY)
            else:
                self.store_trouble = None
                return seq


def _answer(turns: Sequence[_Turn]) -> None:
    """All that these turns led to has been committed."""
    for turn in turns:
        if turn.then is not None:
            turn.then()
        if turn.done is not None:
            turn.done.set()
