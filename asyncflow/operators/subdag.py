"""SubDagOperator of Airflow 1 and 2: a task that is a whole DAG."""

from __future__ import annotations

from typing import Any

from asyncflow.authoring.api import current_api
from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.exceptions import AirflowException


class SubDagOperator(BaseOperator):
    """Plays `subdag` for the run's logical date inside its own process, one task after the other.

    Its tasks are not shown; they take no slots but the operator's. Retries of theirs do not wait.
    """

    ui_color = "#555"
    ui_fgcolor = "#fff"

    def __init__(self, *, subdag: Any, conf: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Raises AirflowException unless the sub-DAG is called <dag id>.<task id>. Other arguments are a task's."""
        for name in ("session", "propagate_skipped_state", "executor"):
            kwargs.pop(name, None)
        super().__init__(**kwargs)
        expected = f"{self.dag.dag_id}.{self.task_id}" if self.dag is not None else self.task_id
        if subdag.dag_id != expected:
            raise AirflowException(
                f"The subdag's dag_id should have the form '{{parent_dag_id}}.{{this_task_id}}'. "
                f"Expected {expected!r}; received {subdag.dag_id!r}."
            )
        self.subdag = subdag
        self.conf = conf
        subdag.is_subdag = True
        subdag.parent_dag = self.dag

    def execute(self, context: Any) -> None:
        """Play it. Raises AirflowException if it does not succeed."""
        date = context["dag_run"].logical_date
        played = self.subdag.test(date, self.conf or context["dag_run"].conf, outer=current_api())
        for name, state in played.tasks.items():
            self.log.info("%s.%s: %s", self.subdag.dag_id, name, state)
        if played.state != "success":
            raise AirflowException(f"Expected state: SUCCESS. Actual state: {played.state.upper()}")
