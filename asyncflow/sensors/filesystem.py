"""FileSensor: waits for a file, or a file in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from glob import glob
from typing import Any

from asyncflow.core.conditions import Condition, FilePresent
from asyncflow.hooks.filesystem import FSHook
from asyncflow.sensors.base import BaseSensorOperator


class FileSensor(BaseSensorOperator):
    """`filepath` may be a glob pattern (`**` with `recursive`); a relative one is below the connection's path."""

    template_fields: Sequence[str] = ("filepath",)
    ui_color = "#91818a"

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        fs_conn_id: str = "fs_default",
        recursive: bool = False,
        deferrable: bool = False,
        **kwargs: Any,
    ) -> None:
        """With `deferrable` it holds no process between pokes."""
        super().__init__(**({"mode": "reschedule", **kwargs} if deferrable else kwargs))
        self.filepath = os.fspath(filepath)
        self.fs_conn_id = fs_conn_id
        self.recursive = recursive

    @property
    def path(self) -> str:
        """The whole pattern."""
        return os.path.join(FSHook(self.fs_conn_id).get_path(), self.filepath)

    def server_condition(self, *, poked: bool) -> Condition | None:
        # Where the connection's folder is only the task's process can tell.
        return FilePresent(pattern=os.path.abspath(self.path), recursive=self.recursive) if poked else None

    def poke(self, context: Any) -> bool:
        self.log.info("Poking for file %s", self.path)
        for path in glob(self.path, recursive=self.recursive):
            if os.path.isfile(path):
                changed = datetime.fromtimestamp(os.path.getmtime(path), UTC)
                self.log.info("Found File %s last modified: %s", path, changed.isoformat())
                return True
            if any(files for _, _, files in os.walk(path)):
                return True
        return False
