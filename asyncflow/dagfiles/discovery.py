"""Which files of the DAG folder are DAG files: a walk over it that never imports anything.

A DAG file is a `.py` file, or a `.py` at the top of a zip archive, that `.airflowignore` does not leave out and that
looks like one in safe mode (`might_hold_dag`). What cannot be read is listed too: the loader says why it cannot.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

from asyncflow.dagfiles.ignore import IGNORE_FILE, IgnoreRules

#: folders that never hold DAG files, however large they are
_NEVER = frozenset({"__pycache__", ".git", ".hg", ".svn"})
#: only the beginning of a file is looked at: a DAG file of 16 MiB says what it is before that
_LOOKED_AT = 16 * 1024 * 1024
_ZIP_MAGIC = b"PK"


def discover(folder: Path, *, safe_mode: bool = True, syntax: str = "regexp") -> list[str]:
    """The DAG files below `folder`, sorted, relative with `/`; a zip member is "a.zip/b.py". No folder, no files.

    Symbolic links are followed, each real folder is visited once. Reads every candidate: call it in a thread.
    """
    found: list[str] = []
    for path in walk(folder, syntax=syntax):
        found.extend(_dag_files_of(folder, path, safe_mode))
    return sorted(found)


def walk(folder: Path, *, syntax: str = "regexp") -> Iterator[str]:
    """Every file below `folder` that `.airflowignore` does not leave out, relative with `/`, in no certain order."""
    seen: set[tuple[int, int]] = set()
    waiting = [("", IgnoreRules(syntax))]
    links: list[tuple[str, IgnoreRules]] = []
    while waiting or links:
        # Links come last, so that a folder is listed under its own name and not under a link's.
        where, rules = waiting.pop() if waiting else links.pop(0)
        entries = _entries(folder / where, seen)
        if any(entry.name == IGNORE_FILE for entry in entries):
            rules = rules.with_lines(_text_of(folder / where / IGNORE_FILE), where)
        for entry in entries:
            path = f"{where}/{entry.name}" if where else entry.name
            is_folder = entry.is_dir()
            if entry.name in _NEVER or entry.name == IGNORE_FILE or rules.ignore(path, is_folder=is_folder):
                continue
            if is_folder:
                (links if entry.is_symlink() else waiting).append((path, rules))
            elif entry.is_file():
                yield path


def might_hold_dag(content: bytes) -> bool:
    """Airflow's safe mode: "dag" or "asset" and "airflow" (or "asyncflow") in the text, in any case of letters."""
    lowered = content.lower()
    return (b"dag" in lowered or b"asset" in lowered) and (b"airflow" in lowered or b"asyncflow" in lowered)


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """What lies in a folder, sorted; nothing if it was seen before (a link back up), has gone, or is closed to us."""
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _dag_files_of(folder: Path, path: str, safe_mode: bool) -> list[str]:
    try:
        if path.endswith(".py"):
            return [path] if not safe_mode or might_hold_dag(_beginning(folder / path)) else []
        if _is_zip(folder / path):
            return [f"{path}/{member}" for member in _zip_members(folder / path, safe_mode)]
    except FileNotFoundError:
        return []  # deleted while we looked
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return [path]
    return []


def _beginning(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LOOKED_AT)


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == _ZIP_MAGIC and zipfile.is_zipfile(file)


def _zip_members(path: Path, safe_mode: bool) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if "/" in name or not name.endswith(".py"):
                continue
            if safe_mode:
                with archive.open(name) as member:
                    if not might_hold_dag(member.read(_LOOKED_AT)):
                        continue
            yield name
