"""What lies in the DAG folder, and why no DAG came of it. Walks over it: for somebody who has none yet, in a thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asyncflow.config import Settings
from asyncflow.dagfiles.discovery import might_hold_dag
from asyncflow.dagfiles.loader import Progress

#: files that are looked at to say why they hold no DAG, and that are shown
_WALKED, SHOWN = 2000, 50


class Found(NamedTuple):
    """A file of the DAG folder, and why no DAG came of it."""

    file: str
    why: str  #: loading, no_dag, words, ignored, other


class Folder(NamedTuple):
    """The DAG folder, for somebody who has no DAG yet."""

    path: Path
    state: str  #: missing, closed, empty, no_dag, loading
    files: Sequence[Found]
    more: int  #: files that are not listed


def look_at(folder: Path, known: Sequence[str], progress: Progress, settings: Settings) -> Folder:
    """What lies in the DAG folder, and why no DAG came of it."""
    if not folder.is_dir():
        return Folder(folder, "missing", (), 0)
    if not os.access(folder, os.R_OK | os.X_OK):
        return Folder(folder, "closed", (), 0)
    names: list[str] = []
    for where, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if name != "__pycache__" and not name.startswith("."))
        names += [os.path.relpath(os.path.join(where, name), folder) for name in sorted(files)]
        if len(names) > _WALKED:
            break
    found = [Found(name, _why(folder, name, set(known), progress, settings)) for name in names]
    first = {"loading": 0, "no_dag": 1, "words": 2, "ignored": 3, "other": 4}
    found.sort(key=lambda file: first[file.why])
    state = "no_dag" if found else "empty"
    if any(file.why == "loading" for file in found) or not progress.has_looked:
        state = "loading"
    return Folder(folder, state, found[:SHOWN], len(found) - len(found[:SHOWN]))


def _why(folder: Path, name: str, known: set[str], progress: Progress, settings: Settings) -> str:
    if name in known:
        return "loading" if name in progress.unloaded else "no_dag"
    if not name.endswith(".py"):
        return "other"
    try:
        plain = settings.dag_discovery_safe_mode and not might_hold_dag((folder / name).read_bytes())
    except OSError:
        return "other"
    return "words" if plain else "ignored"
