"""Watches what the import of a DAG file does to the world outside: by audit events, and by looking before and after.

The hook stays for the life of the process (Python has no way to remove one) and does nothing once it is switched off.
What C libraries do without a Python event (a database driver's connect) is seen by what they leave open.
"""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import sys
import sysconfig
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from asyncflow.ipc import procfs

_NETWORK = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "urllib.Request",
        "http.client.connect",
        "ftplib.connect",
        "smtplib.connect",
        "imaplib.open",
        "poplib.connect",
    }
)
_COMMANDS = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.startfile"}
)
_LISTINGS = frozenset({"os.listdir", "os.scandir", "os.walk", "os.fwalk"})
_EVENTS = _NETWORK | _COMMANDS | _LISTINGS | {"open", "sqlite3.connect", "tempfile.mkstemp", "tempfile.mkdtemp"}

#: files that belong to Python or the system rather than to the DAG file's input
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/usr/share/", "/usr/lib", "/lib", "/etc/ld.so", "/etc/localtime", "/etc/ssl/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Seen:
    """What an import did."""

    reads: set[str] = field(default_factory=set)  #: files read and folders listed under the DAG folder, absolute
    #: what makes a second import differ: reason -> whether it is something we cannot watch
    reasons: dict[str, bool] = field(default_factory=dict)
    outside: set[str] = field(default_factory=set)  #: files read elsewhere: not watched
    warnings: list[str] = field(default_factory=list)


class Recorder:
    """Switched on around the import, by `with`; `seen` is complete afterwards."""

    def __init__(self, dags_folder: str, *, own_files: frozenset[str] = frozenset()) -> None:
        self.seen = Seen()
        self._folder = dags_folder.rstrip("/") + "/"
        self._own = own_files
        self._libraries = _library_folders(self._folder)
        self._on = False
        self._paused = False
        self._descriptors: dict[int, str] = {}
        sys.addaudithook(self._hook)

    def __enter__(self) -> Recorder:
        self._descriptors = procfs.open_files()
        self._threads = procfs.thread_count()
        self._random = random.getstate()
        self._signals = _handlers()
        self._cwd = _cwd()
        self._mask = os.umask(0o022)
        os.umask(self._mask)
        self._on = True
        return self

    def __exit__(self, *_: object) -> None:
        self._on = False
        self._look_around()

    def pause(self) -> _Pause:
        """What asyncflow does itself in the middle of an import (asking for a Variable) is not the file's doing."""
        return _Pause(self)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or self._paused or event not in _EVENTS:
            return
        try:
            self._note(event, arguments)
        except Exception as error:  # an exception from a hook would end up in the middle of the user's file
            self.seen.warnings.append(f"{event} could not be followed: {error!r}")

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        reasons = self.seen.reasons
        if event == "open":
            self._opened(arguments[0], arguments[1], arguments[2])
        elif event in _LISTINGS:
            self._listed(arguments[0])
        elif event in _NETWORK:
            reasons["uses the network"] = True
        elif event in _COMMANDS:
            reasons["starts a process"] = True
        elif event == "sqlite3.connect":
            reasons["opens a database"] = True
        else:
            reasons["makes temporary files"] = False

    def _opened(self, path: Any, mode: Any, flags: Any) -> None:
        name = _name(path)
        if name is None:
            return
        if name.endswith(".pyc"):
            self._compiled(name)
            return
        writes = bool(flags & _WRITING) if isinstance(flags, int) else any(c in str(mode) for c in "wax+")
        if name.startswith(_SYSTEM) and not name.startswith(self._folder):
            return
        if writes:
            self.seen.reasons["writes a file"] = False
        elif name.startswith(self._folder):
            if name not in self._own:
                self.seen.reads.add(name)
        elif not name.startswith(self._libraries):
            self.seen.outside.add(name)

    def _compiled(self, name: str) -> None:
        """A helper that is imported from its cache, and perhaps fails, is read all the same."""
        if name.startswith(self._folder):
            with suppress(ValueError):
                self.seen.reads.add(importlib.util.source_from_cache(name))

    def _listed(self, path: Any) -> None:
        name = _name("." if path is None else path)
        # The import system lists the folders of sys.path by itself: that is no reading of the file's.
        if name and (name + "/").startswith(self._folder) and not _listed_by_import():
            self.seen.reads.add(name.rstrip("/"))

    def _look_around(self) -> None:
        seen = self.seen
        if procfs.thread_count() > self._threads or threading.active_count() > 1:
            seen.reasons["leaves a thread running"] = False
        for number, target in procfs.open_files().items():
            if self._descriptors.get(number) != target and target not in ("/dev/null", "/dev/urandom"):
                kind = target.partition(":")[0]
                seen.reasons[f"leaves a {kind} open" if kind in ("socket", "pipe") else f"leaves {target} open"] = False
        if random.getstate() != self._random:
            seen.reasons["uses random numbers"] = True
        if seen.outside:
            seen.warnings.append("reads files outside the DAG folder: " + ", ".join(sorted(seen.outside)[:5]))
        if (now := _cwd()) != self._cwd:
            seen.warnings.append(f"changes the working directory to {now}")
        os.umask(self._mask)
        self._restore_signals()

    def _restore_signals(self) -> None:
        for number, handler in self._signals.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
                self.seen.warnings.append(f"changes the handler of {number.name}, which was put back")


class _Pause:
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        self._recorder._paused = True

    def __exit__(self, *_: object) -> None:
        self._recorder._paused = False


def _name(path: Any) -> str | None:
    """Absolute path of an event's argument; None for a descriptor or something odd."""
    try:
        name = os.fsdecode(path)
        return os.path.normpath(os.path.join(os.getcwd(), name))
    except (TypeError, OSError):
        return None


def _listed_by_import() -> bool:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap_external>":
            return True
        # Only the frames next to the event: an import further out is how the user's own code came to run.
        if not frame.f_code.co_filename.startswith(("<frozen", __file__)):
            return False
        frame = frame.f_back
    return False


def _library_folders(dags_folder: str) -> tuple[str, ...]:
    folders = {os.path.abspath(path) for path in (*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix)}
    folders |= {os.path.abspath(path) for path in sys.path if path}
    folders.add(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    mine = dags_folder.rstrip("/")
    return tuple(f + "/" for f in folders if f != "/" and not (mine + "/").startswith(f + "/") and f != mine)


def _handlers() -> dict[signal.Signals, Any]:
    found = {}
    for number in signal.valid_signals():
        if isinstance(number, signal.Signals) and (handler := signal.getsignal(number)) is not None:
            found[number] = handler
    return found


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "a folder that is gone"
