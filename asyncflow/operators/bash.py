"""BashOperator: runs a command or a script file in bash."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.exceptions import AirflowException, AirflowSkipException
from asyncflow.authoring.types import ArgNotSet
from asyncflow.hooks.subprocess import SubprocessHook, SubprocessResult, working_directory


class BashOperator(BaseOperator):
    """Runs `bash_command`; the last line of its output, through `output_processor`, becomes the task's XCom.

    A command that ends in `.sh` or `.bash` is the name of a template file. Exit code 0 is success, one of
    `skip_on_exit_code` (99) ends the task as skipped, any other is a failure. `env` replaces the environment, or adds
    to it with `append_env`; `AIRFLOW_CTX_*` variables are added anyhow. Without `cwd` it runs in a temporary folder.
    """

    template_fields: Sequence[str] = ("bash_command", "env", "cwd")
    template_fields_renderers = {"bash_command": "bash", "env": "json"}
    template_ext: Sequence[str] = (".sh", ".bash")
    ui_color = "#f0ede4"

    def __init__(
        self,
        *,
        bash_command: str | ArgNotSet,
        env: dict[str, str] | None = None,
        append_env: bool = False,
        output_encoding: str = "utf-8",
        skip_exit_code: int | None = None,
        skip_on_exit_code: int | Container[int] | None = 99,
        cwd: str | None = None,
        output_processor: Callable[[str], Any] | None = None,
        xcom_push: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """`skip_exit_code` and `xcom_push` are older names of `skip_on_exit_code` and `do_xcom_push`."""
        if xcom_push is not None:
            kwargs["do_xcom_push"] = xcom_push
        super().__init__(**kwargs)
        self.bash_command = bash_command
        self.env = env
        self.append_env = append_env
        self.output_encoding = output_encoding
        codes = skip_on_exit_code if skip_exit_code is None else skip_exit_code
        self.skip_on_exit_code: Container[int] = (
            codes if isinstance(codes, Container) else () if codes is None else (codes,)
        )
        self.cwd = cwd
        self.output_processor = output_processor
        self._unrendered_bash_command = bash_command
        self._hook = SubprocessHook()

    @property
    def subprocess_hook(self) -> SubprocessHook:
        """What runs the command."""
        return self._hook

    def get_env(self, context: Any) -> dict[str, str]:
        """The environment of the command."""
        if self.env is None:
            env = dict(os.environ)
        elif self.append_env:
            env = {**os.environ, **self.env}
        else:
            env = dict(self.env)
        return env | context_variables(context)

    def execute(self, context: Any) -> Any:
        """Run the command to its end."""
        if self.cwd is not None and not Path(self.cwd).is_dir():
            known = "is no folder" if Path(self.cwd).exists() else "does not exist"
            raise AirflowException(f"Can not find the cwd: {self.cwd} {known}")
        result = self._run(str(self.bash_command), self.get_env(context))
        if result.exit_code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Bash command returned exit code {result.exit_code}. Skipping.")
        if result.exit_code != 0:
            raise AirflowException(
                f"Bash command failed. The command returned a non-zero exit code {result.exit_code}."
            )
        return result.output if self.output_processor is None else self.output_processor(result.output)

    def _run(self, command: str, env: dict[str, str]) -> SubprocessResult:
        bash = shutil.which("bash") or "bash"
        if not self._is_script():
            return self._hook.run_command([bash, "-c", command], env, self.output_encoding, self.cwd)
        # the rendered text of a script may be longer than an argument can be
        with (
            working_directory(self.cwd) as folder,
            tempfile.NamedTemporaryFile("w", suffix=".sh", prefix="asyncflow-task-") as script,
        ):
            script.write(command)
            script.flush()
            return self._hook.run_command([bash, script.name], env, self.output_encoding, folder)

    def _is_script(self) -> bool:
        command = self._unrendered_bash_command
        return isinstance(command, str) and command.endswith(tuple(self.template_ext))

    def on_kill(self) -> None:
        self._hook.send_sigterm()


def context_variables(context: Any) -> dict[str, str]:
    """What commands are told of the run: AIRFLOW_CTX_* variables."""
    ti, dag, task = context.get("ti"), context.get("dag"), context.get("task")
    email = getattr(task, "email", None)
    owner = getattr(task, "owner", None)
    values = {
        "DAG_EMAIL": ",".join(email) if isinstance(email, list | tuple | set) else email,
        "DAG_OWNER": ",".join(owner) if isinstance(owner, list | tuple | set) else owner,
        "DAG_ID": getattr(dag, "dag_id", None),
        "TASK_ID": getattr(ti, "task_id", None),
        "EXECUTION_DATE": _iso(getattr(ti, "logical_date", None)),
        "TRY_NUMBER": getattr(ti, "try_number", None),
        "DAG_RUN_ID": getattr(ti, "run_id", None),
    }
    return {f"AIRFLOW_CTX_{name}": str(value) for name, value in values.items() if value}


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat()
