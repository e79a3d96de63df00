"""BashSensor: waits until a command ends with 0."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from asyncflow.authoring.exceptions import AirflowFailException
from asyncflow.hooks.subprocess import SubprocessHook
from asyncflow.sensors.base import BaseSensorOperator


class BashSensor(BaseSensorOperator):
    """Exit code 0 is the end of waiting, any other is not yet; with `retry_exit_code` only that one is not yet."""

    template_fields: Sequence[str] = ("bash_command", "env")
    template_fields_renderers = {"bash_command": "bash", "env": "json"}
    template_ext: Sequence[str] = (".sh", ".bash")

    def __init__(
        self,
        *,
        bash_command: str,
        env: dict[str, str] | None = None,
        output_encoding: str = "utf-8",
        retry_exit_code: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command = bash_command
        self.env = env
        self.output_encoding = output_encoding
        self.retry_exit_code = retry_exit_code
        self._hook = SubprocessHook()

    def poke(self, context: Any) -> bool:
        env = dict(os.environ) if self.env is None else dict(self.env)
        result = self._hook.run_command(["bash", "-c", self.bash_command], env, self.output_encoding)
        if result.exit_code == 0:
            return True
        if self.retry_exit_code is None or result.exit_code == self.retry_exit_code:
            return False
        raise AirflowFailException(f"Command exited with code {result.exit_code}.")

    def on_kill(self) -> None:
        self._hook.send_sigterm()
