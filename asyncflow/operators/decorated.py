"""The operators behind `@task` and its kinds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asyncflow.authoring.callables import determine_kwargs, finished
from asyncflow.authoring.current import DagContext
from asyncflow.authoring.decorators import DecoratedOperator, get_unique_task_id
from asyncflow.authoring.types import NOTSET
from asyncflow.operators.bash import BashOperator
from asyncflow.operators.python import BranchPythonOperator, PythonOperator, ShortCircuitOperator
from asyncflow.sensors.python import PythonSensor


class PythonDecoratedOperator(DecoratedOperator, PythonOperator):
    """`@task`."""

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    custom_operator_name = "@task"

    def __init__(self, *, python_callable: Callable[..., Any], op_args: Any, op_kwargs: Any, **kwargs: Any) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            kwargs_to_upstream={"python_callable": python_callable, "op_args": op_args, "op_kwargs": op_kwargs},
            **kwargs,
        )


class BranchPythonDecoratedOperator(PythonDecoratedOperator, BranchPythonOperator):
    """`@task.branch`."""

    custom_operator_name = "@task.branch"


class ShortCircuitDecoratedOperator(PythonDecoratedOperator, ShortCircuitOperator):
    """`@task.short_circuit`."""

    custom_operator_name = "@task.short_circuit"


class DecoratedSensorOperator(PythonSensor):
    """`@task.sensor`."""

    template_fields: Sequence[str] = ("op_args", "op_kwargs")
    template_fields_renderers = {"op_args": "py", "op_kwargs": "py"}
    custom_operator_name = "@task.sensor"

    def __init__(self, *, task_id: str, **kwargs: Any) -> None:
        if not self._from_mapped:
            task_id = get_unique_task_id(task_id, kwargs.get("dag"), kwargs.get("task_group"))
        super().__init__(task_id=task_id, **kwargs)


class BashDecoratedOperator(DecoratedOperator, BashOperator):
    """`@task.bash`: the function returns the command."""

    template_fields: Sequence[str] = ("op_args", "op_kwargs", "bash_command", "env", "cwd")
    template_fields_renderers = {"op_args": "py", "op_kwargs": "py", "bash_command": "bash", "env": "json"}
    custom_operator_name = "@task.bash"

    def __init__(self, **kwargs: Any) -> None:
        """`multiple_outputs` counts in Airflow 3's dialect; in Airflow 2's it is ignored."""
        dag = kwargs.get("dag") or DagContext.get_current_dag()
        if dag is None or dag.dialect == 2:
            kwargs["multiple_outputs"] = False
        super().__init__(bash_command=NOTSET, **kwargs)

    def execute(self, context: Any) -> Any:
        """Ask the function for the command, render it, run it."""
        context.update(self.op_kwargs)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        command = finished(self.python_callable(*self.op_args, **kwargs))
        if not isinstance(command, str) or not command.strip():
            raise TypeError("The returned value from the TaskFlow callable must be a non-empty string.")
        self._unrendered_bash_command = command
        self.bash_command = self.render_template(command, context)
        return super().execute(context)
