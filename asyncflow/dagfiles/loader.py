"""Keeps what is loaded in step with the DAG folder: the first load, then exactly what a change touches.

A file is loaded again when its own bytes change, when something its import read changes (helper module, YAML, SQL, a
folder it listed, a Variable or Connection it asked for), and every `dag_refresh_interval` if it failed or reads what
cannot be watched. A save that changes nothing loads nothing. Imports themselves happen elsewhere (`parse`).

A change that comes while its file is being loaded makes the result void, and the file is loaded again. A failure is
held back for a moment if the file was saved just now: an editor may be in the middle of writing it.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread

from asyncflow.config import Settings
from asyncflow.core.messages import Parsed
from asyncflow.dagfiles.discovery import discover, might_hold_dag
from asyncflow.dagfiles.ignore import IGNORE_FILE
from asyncflow.dagfiles.watcher import watch
from asyncflow.ipc.fingerprint import fingerprint, main_path

log = logging.getLogger(__name__)

#: seconds after which an import no longer counts against `parse_concurrency`: a file that hangs delays no other
SLOW = 0.4
#: how many imports may be slow at once
MAX_SLOW = 16
#: seconds a failure waits for a further save of a file that was saved less than `FRESH` seconds ago
HOLD_BACK = 0.06
FRESH = 1.0
#: a change seen so soon after a load may have happened in the middle of it
DOUBT = 0.3


@dataclass(frozen=True, slots=True)
class LoadResult:
    """One import of one file, good or bad."""

    file: str
    parsed: Parsed
    content_hash: str  #: of the file and all it read


@dataclass(frozen=True, slots=True)
class Progress:
    """What the loader has done and has to do."""

    files: int
    loading: tuple[str, ...]
    queued: int
    failed: int
    unloaded: frozenset[str]  #: files that have not been loaded yet
    has_looked: bool  #: every file of the first look at the folder has been loaded
    polls: bool = False  #: changes are looked for, nobody tells of them


@dataclass
class _File:
    """A DAG file as it was at its last load."""

    name: str
    path: str  #: on disk: the file, or its archive
    content_hash: str = ""
    reads: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    connections: frozenset[str] = frozenset()
    failed: bool = False
    loaded: bool = False
    loading: bool = False
    queued: bool = False
    forced: bool = False  #: load even if nothing seems to have changed
    gone: bool = False
    changed_meanwhile: set[str] = field(default_factory=set)
    loaded_at: float = 0.0
    refresh_at: float | None = None

    def is_touched_by(self, path: str) -> bool:
        """Whether a change of `path` (a file, or a folder and all below it) may change this import."""
        if path == self.path or path in self.reads or os.path.dirname(path) in self.reads:
            return True
        below = path + "/"
        return self.path.startswith(below) or any(read.startswith(below) for read in self.reads)


class Loader:
    """See the module. `parse`, `on_result` and `on_gone` are awaited; for one file never two at a time.

    `on_look` is called after each look at which files there are.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        parse: Callable[[str, str], Awaitable[Parsed]],
        on_result: Callable[[LoadResult], Awaitable[None]],
        on_gone: Callable[[str], Awaitable[None]],
        on_look: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._folder = str(settings.dags)
        self._parse = parse
        self._on_result = on_result
        self._on_gone = on_gone
        self._on_look = on_look
        self._files: dict[str, _File] = {}
        self._queue: deque[_File] = deque()
        self._work = anyio.Event()
        self._timer = anyio.Event()
        self._slots = anyio.Semaphore(max(1, settings.parse_concurrency))
        self._slow_slots = anyio.Semaphore(MAX_SLOW)
        self._first_look: set[str] | None = None  #: files of the first look that are still to be loaded
        self._looked = anyio.Event()
        self._polls = False

    @property
    def files(self) -> list[str]:
        """The DAG files there are, loaded or about to be."""
        return sorted(self._files)

    def progress(self) -> Progress:
        """How far the loading is."""
        files = self._files.values()
        return Progress(
            files=len(files),
            loading=tuple(sorted(file.name for file in files if file.loading)),
            queued=len(self._queue),
            failed=sum(file.failed for file in files),
            unloaded=frozenset(file.name for file in files if not file.loaded),
            has_looked=self._looked.is_set(),
            polls=self._polls,
        )

    async def run(self, after_first_look: Callable[[], Awaitable[None]] | None = None) -> None:
        """Load the folder and follow its changes, until cancelled.

        `after_first_look` is called once, when every file found at first has been loaded (or failed).
        """
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run_queue, tasks)
            tasks.start_soon(self._run_refresh)
            if after_first_look is not None:
                tasks.start_soon(self._tell_when_looked, after_first_look)
            settings = self._settings
            async with aclosing(
                watch(
                    settings.dags,
                    poll=settings.poll_files,
                    poll_interval=settings.poll_interval,
                    on_poll=self._note_polling,
                )
            ) as batches:
                async for batch in batches:
                    await self._changed(batch)

    def _note_polling(self) -> None:
        self._polls = True

    def variable_changed(self, name: str) -> None:
        """A Variable was set or deleted: files that ask for it while they are imported are loaded again."""
        for file in self._files.values():
            if name in file.variables:
                self._enqueue(file, forced=True)

    def connection_changed(self, conn_id: str) -> None:
        """The same for a Connection."""
        for file in self._files.values():
            if conn_id in file.connections:
                self._enqueue(file, forced=True)

    def reload(self, file: str) -> None:
        """Load one file again, whatever changed. A name that is no DAG file is ignored."""
        if file in self._files:
            self._enqueue(self._files[file], forced=True)

    # ---- changes ----------------------------------------------------------------------------------------------------

    async def _changed(self, batch: Iterable[str]) -> None:
        paths = [path for path in batch if "/__pycache__" not in path and not path.endswith(".pyc")]
        unknown = False
        for path in paths:
            touched = [file for file in self._files.values() if file.is_touched_by(path)]
            for file in self._files.values():
                if file.loading:
                    file.changed_meanwhile.add(path)
            for file in touched:
                self._enqueue(file)
            unknown |= not touched or any(file.path == path or file.path.startswith(path + "/") for file in touched)
        if unknown and any(self._may_change_the_list(path) for path in paths):
            await self._look()
        if unknown:
            # What a broken file lacks (a helper module, say) may have come into being.
            for file in self._files.values():
                if file.failed:
                    self._enqueue(file, forced=True)

    def _may_change_the_list(self, path: str) -> bool:
        if path == self._folder or os.path.basename(path) == IGNORE_FILE or path.endswith(".py"):
            return True
        # Folders, archives by any name, and whatever has just been deleted.
        known = any(file.path == path or file.path.startswith(path + "/") for file in self._files.values())
        return known or os.path.isdir(path) or _looks_like_archive(path)

    async def _look(self) -> None:
        """Compare the folder with what is known."""
        settings = self._settings
        names = await anyio.to_thread.run_sync(
            lambda: discover(
                settings.dags, safe_mode=settings.dag_discovery_safe_mode, syntax=settings.dag_ignore_file_syntax
            )
        )
        found = set(names)
        for name in [name for name in self._files if name not in found]:
            await self._forget(self._files.pop(name))
        new = [name for name in names if name not in self._files]
        for name in new:
            self._files[name] = _File(name, main_path(self._folder, name))
        if self._first_look is None:
            self._first_look = set(new)
            self._check_looked()
        for name in new:
            self._enqueue(self._files[name])
        self._on_look()

    async def _forget(self, file: _File) -> None:
        file.gone = True
        self._first_look_done(file)
        if not file.loading:  # else the worker tells when it is through
            await self._on_gone(file.name)

    async def _tell_when_looked(self, after_first_look: Callable[[], Awaitable[None]]) -> None:
        await self._looked.wait()
        await after_first_look()

    def _first_look_done(self, file: _File) -> None:
        if self._first_look is not None:
            self._first_look.discard(file.name)
            self._check_looked()

    def _check_looked(self) -> None:
        if not self._first_look:
            self._looked.set()

    # ---- loading ----------------------------------------------------------------------------------------------------

    def _enqueue(self, file: _File, *, forced: bool = False) -> None:
        file.forced |= forced or time.monotonic() - file.loaded_at < DOUBT
        if file.queued or file.loading:
            return  # one that is loading looks again when it is through
        file.queued = True
        # An edit goes before the rest of the first load: somebody is looking at it.
        (self._queue.appendleft if file.loaded else self._queue.append)(file)
        self._work.set()

    async def _run_queue(self, tasks: anyio.abc.TaskGroup) -> None:
        while True:
            while self._queue:
                await self._slots.acquire()
                file = self._queue.popleft()
                file.queued, file.loading = False, True
                tasks.start_soon(self._load_in_slot, file)
            self._work = anyio.Event()
            await self._work.wait()

    async def _load_in_slot(self, file: _File) -> None:
        slot = _Slot(self._slots, self._slow_slots)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slot.give_back_when_slow)
            try:
                await self._load(file)
            finally:
                slot.give_back()
                tasks.cancel_scope.cancel()

    async def _load(self, file: _File) -> None:
        try:
            while not file.gone and await self._needs_loading(file):
                if await self._load_once(file):
                    break
        except Exception:
            log.exception("%s could not be taken over", file.name)
        file.loading = False
        if file.gone:
            await self._on_gone(file.name)
        self._first_look_done(file)
        overtaken = any(file.is_touched_by(path) for path in file.changed_meanwhile)
        if (file.forced or overtaken) and not file.gone:
            self._enqueue(file, forced=True)

    async def _needs_loading(self, file: _File) -> bool:
        """False for a save that changed nothing. Forgets a file that no longer looks like a DAG file."""
        forced, file.forced = file.forced, False
        content = await anyio.to_thread.run_sync(_read, file.path)
        if content is not None and self._settings.dag_discovery_safe_mode and not might_hold_dag(content):
            if file.path.endswith(".py"):
                file.gone = True
                self._files.pop(file.name, None)
                return False
        if forced or not file.loaded or content is None:
            return True
        now = await anyio.to_thread.run_sync(fingerprint, self._folder, content, file.reads)
        return now != file.content_hash

    async def _load_once(self, file: _File) -> bool:
        """One import. False if it was overtaken by a change and has to be done again."""
        file.changed_meanwhile.clear()
        parsed = await self._parse(file.name, file.content_hash)
        file.reads = frozenset(parsed.reads)
        if parsed.error is not None and time.time() - _saved_at(file.path) < FRESH:
            await anyio.sleep(HOLD_BACK)
        if file.gone:
            return True
        if any(file.is_touched_by(path) for path in file.changed_meanwhile):
            file.forced = True
            return False
        self._remember(file, parsed)
        await self._on_result(LoadResult(file.name, parsed, parsed.content_hash))
        return True

    def _remember(self, file: _File, parsed: Parsed) -> None:
        file.content_hash = parsed.content_hash
        file.variables = frozenset(parsed.variables)
        file.connections = frozenset(parsed.connections)
        file.failed = parsed.error is not None
        file.loaded = True
        file.loaded_at = time.monotonic()
        file.refresh_at = None
        if parsed.refresh or file.failed:
            file.refresh_at = file.loaded_at + self._settings.dag_refresh_interval
            self._timer.set()

    async def _run_refresh(self) -> None:
        while True:
            self._timer = anyio.Event()
            now = time.monotonic()
            due = [file.refresh_at for file in self._files.values() if file.refresh_at is not None]
            with anyio.move_on_after(max(0.0, min(due) - now) if due else None):
                await self._timer.wait()
            now = time.monotonic()
            for file in self._files.values():
                if file.refresh_at is not None and file.refresh_at <= now:
                    file.refresh_at = None
                    self._enqueue(file, forced=True)


class _Slot:
    """One of the places for imports; given back early by an import that turns out slow."""

    def __init__(self, slots: anyio.Semaphore, slow_slots: anyio.Semaphore) -> None:
        self._slots = slots
        self._slow_slots = slow_slots
        self._held: anyio.Semaphore | None = slots

    async def give_back_when_slow(self) -> None:
        await anyio.sleep(SLOW)
        await self._slow_slots.acquire()
        self._slots.release()
        self._held = self._slow_slots

    def give_back(self) -> None:
        if self._held is not None:
            self._held.release()
            self._held = None


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def _saved_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _looks_like_archive(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"PK"
    except OSError:
        return False
