"""Triggers that watch for files."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from glob import glob
from typing import Any

from asyncflow.authoring.triggers import BaseEventTrigger, BaseTrigger, TriggerEvent


class FileTrigger(BaseTrigger):
    """Fires when a file matches `filepath`, or a folder that does holds a file; the event is True."""

    def __init__(self, filepath: str, recursive: bool = False, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__()
        self.filepath = filepath
        self.recursive = recursive
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = {"filepath": self.filepath, "recursive": self.recursive, "poke_interval": self.poke_interval}
        return f"{type(self).__module__}.{type(self).__qualname__}", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            found = await asyncio.to_thread(find_file, self.filepath, recursive=self.recursive)
            if found is not None:
                self.log.info("Found %s", found)
                yield TriggerEvent(True)
                return
            await asyncio.sleep(self.poke_interval)


def find_file(pattern: str, *, recursive: bool) -> str | None:
    """What a glob pattern finds: a file and when it was last changed, or a folder that holds one; None for nothing."""
    for path in glob(pattern, recursive=recursive):
        if os.path.isfile(path):
            changed = datetime.fromtimestamp(os.path.getmtime(path), UTC)
            return f"File {path} last modified: {changed.isoformat()}"
        if any(files for _, _, files in os.walk(path)):
            return path
    return None


class FileDeleteTrigger(BaseEventTrigger):
    """Watches an asset: fires when the file is there, and deletes it."""

    def __init__(self, filepath: str, poke_interval: float = 5.0, **kwargs: Any) -> None:
        super().__init__()
        self.filepath = filepath
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = {"filepath": self.filepath, "poke_interval": self.poke_interval}
        return f"{type(self).__module__}.FileDeleteTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            if await asyncio.to_thread(_deleted, self.filepath):
                self.log.info("File %s has been deleted", self.filepath)
                yield TriggerEvent(True)
                return
            await asyncio.sleep(self.poke_interval)


def _deleted(path: str) -> bool:
    """Delete the file; False if there is none."""
    try:
        os.remove(path)
    except FileNotFoundError:
        return False
    return True


class DirectoryFileDeleteTrigger(FileDeleteTrigger):
    """As FileDeleteTrigger, of one file in a folder."""

    def __init__(self, directory: str, filename: str, poke_interval: float = 5.0) -> None:
        super().__init__(os.path.join(directory, filename), poke_interval)
        self.directory = directory
        self.filename = filename

    def serialize(self) -> tuple[str, dict[str, Any]]:
        kwargs = {"directory": self.directory, "filename": self.filename, "poke_interval": self.poke_interval}
        return f"{type(self).__module__}.DirectoryFileDeleteTrigger", kwargs
