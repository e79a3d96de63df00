"""What changes below the DAG folder, as batches of absolute paths: inotify (watchfiles), or polling.

    async for batch in watch(folder): ...

The first batch is `{folder}` and comes as soon as the watch stands: list the folder then, and no change is missed.
`{folder}` comes again whenever it is unknown what changed: the folder came into being, was deleted or replaced, or a
link in it now points elsewhere (git-sync). A path may be a folder: then everything below it may have changed. What lies
behind a symbolic link comes under its real path too.

From save to batch takes two to three steps (`STEP_MS`). A save that takes several writes may come as several batches.
Limits: inotify knows nothing of changes that another machine makes on a network file system: there, poll.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from pathlib import Path

import anyio
import anyio.to_thread

#: a batch is complete when nothing was added to it for one step; also how often the notifying thread looks
STEP_MS = 12
#: a batch is given out after this long, even if changes go on
DEBOUNCE_MS = 120
#: how often a replaced or missing folder is looked for
IDENTITY_MS = 250

_log = logging.getLogger(__name__)

Batch = frozenset[str]
#: absolute path -> what changes when the file does
Snapshot = dict[str, tuple[int, int, int]]


async def watch(
    folder: Path, *, poll: bool = False, poll_interval: float = 1.0, on_poll: Callable[[], None] = lambda: None
) -> AsyncGenerator[Batch, None]:
    """Batches of changed paths, for ever. `folder` is absolute, and need not exist.

    `poll_interval` (seconds) counts with `poll`, and when inotify gives out; `on_poll` is called when it begins
    to count. Close it (`contextlib.aclosing`) or cancel its task to end the watch.
    """
    while not poll:
        try:
            async with aclosing(_notified(folder)) as batches:
                async for batch in batches:
                    yield batch
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                continue  # gone between two looks
            _log.warning("The folder %s cannot be watched (%s): polling it every %s s.", folder, error, poll_interval)
            break
    on_poll()
    async with aclosing(_polled(folder, poll_interval)) as batches:
        async for batch in batches:
            yield batch


async def _notified(folder: Path) -> AsyncGenerator[Batch, None]:
    """Batches from one inotify watch, until it must be set up anew. Raises OSError if the folder cannot be watched."""
    from watchfiles._rust_notify import RustNotify

    while (identity := _identity(folder)) is None:  # noqa: ASYNC110 - nothing tells us
        await anyio.sleep(IDENTITY_MS / 1000)
    notify = await anyio.to_thread.run_sync(lambda: RustNotify([str(folder)], False, False, 0, True, True))
    stop = threading.Event()
    try:
        yield frozenset({str(folder)})
        while True:
            changes = await anyio.to_thread.run_sync(
                notify.watch, DEBOUNCE_MS, STEP_MS, IDENTITY_MS, stop, abandon_on_cancel=True
            )
            if _identity(folder) != identity:
                break
            if not isinstance(changes, str):
                paths = _with_real_paths(path for _, path in changes)
                if _needs_new_watch(folder, paths):
                    break
                yield paths
    finally:
        stop.set()
        notify.close()
    if _identity(folder) is None:
        yield frozenset({str(folder)})


async def _polled(folder: Path, interval: float) -> AsyncGenerator[Batch, None]:
    known = await anyio.to_thread.run_sync(_snapshot, folder)
    yield frozenset({str(folder)})
    while True:
        await anyio.sleep(interval)
        seen = await anyio.to_thread.run_sync(_snapshot, folder)
        changed = {path for path, _ in known.items() ^ seen.items()}
        known = seen
        if changed:
            yield _with_real_paths(changed)


def _needs_new_watch(folder: Path, changed: Batch) -> bool:
    """Was the folder itself deleted (another may have its inode by now), or a link made, whose target is unwatched?"""
    return str(folder) in changed or any(os.path.islink(path) and os.path.isdir(path) for path in changed)


def _with_real_paths(paths: Iterable[str]) -> Batch:
    given = frozenset(paths)
    return given | {os.path.realpath(path) for path in given}


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _snapshot(folder: Path) -> Snapshot:
    return dict(_files_below(str(folder), set()))


def _files_below(folder: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, tuple[int, int, int]]]:
    try:
        status = os.stat(folder)
        with os.scandir(folder) as scanned:
            entries = list(scanned)
    except OSError:
        return
    if (status.st_dev, status.st_ino) in seen:
        return  # a link back up
    seen.add((status.st_dev, status.st_ino))
    for entry in entries:
        try:
            if entry.is_dir():
                yield from _files_below(entry.path, seen)
            else:
                found = entry.stat()
                yield entry.path, (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            continue  # gone while we looked
