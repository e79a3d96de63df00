"""FileSensor: waits for a file, or a file in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.triggers import StartTriggerArgs
from asyncflow.core.conditions import Condition, FilePresent
from asyncflow.hooks.filesystem import FSHook
from asyncflow.sensors.base import BaseSensorOperator
from asyncflow.triggers.file import FileTrigger, find_file

_TRIGGER = "asyncflow.triggers.file.FileTrigger"


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
        start_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """`start_from_trigger`: of a deferrable one, not even the first poke has a process."""
        super().__init__(**kwargs)
        self.deferrable = deferrable
        self.filepath = os.fspath(filepath)
        self.fs_conn_id = fs_conn_id
        self.recursive = recursive
        self.start_from_trigger = deferrable and start_from_trigger
        self.trigger_kwargs = trigger_kwargs
        if self.start_from_trigger:
            _, arguments = self._trigger().serialize()
            timeout = timedelta(seconds=self.timeout)
            self.start_trigger_args = StartTriggerArgs(_TRIGGER, "execute_complete", arguments, None, timeout)

    @cached_property
    def path(self) -> str:
        """The whole pattern."""
        return os.path.join(FSHook(self.fs_conn_id).get_path(), self.filepath)

    def server_condition(self, *, poked: bool) -> Condition | None:
        # Where the connection's folder is only the task's process can tell.
        return FilePresent(pattern=os.path.abspath(self.path), recursive=self.recursive) if poked else None

    def poke(self, context: Any) -> bool:
        self.log.info("Poking for file %s", self.path)
        found = find_file(self.path, recursive=self.recursive)
        if found:
            self.log.info("Found %s", found)
        return bool(found)

    def execute(self, context: Any) -> Any:
        """Poke; a deferrable one defers itself if there is nothing yet."""
        if not self.deferrable:
            return super().execute(context)
        if not self._poke_once(context):
            self.defer(timeout=timedelta(seconds=self.timeout), trigger=self._trigger(), method_name="execute_complete")
        return None

    def execute_complete(self, context: Any, event: Any = None) -> None:
        """The trigger has found a file."""
        if not event:
            raise AirflowException(f"{self.task_id} task failed as {self.filepath} not found.")
        self.log.info("%s completed successfully as %s found.", self.task_id, self.filepath)

    def _trigger(self) -> FileTrigger:
        return FileTrigger(self.path, recursive=self.recursive, poke_interval=self.poke_interval)
