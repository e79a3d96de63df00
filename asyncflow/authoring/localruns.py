"""`dag.clear()`, `dag.run()`, `dag.create_dagrun()`, `task.run()`: what tests and scripts do with a DAG of their own.

Nothing of it meets a server: runs, states and XComs are in the memory of this process (`testing.instances`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from asyncflow.authoring.dag import DAG


class LocalRuns:
    """The part of a DAG that runs it here."""

    def create_dagrun(
        self,
        state: Any = "running",
        *,
        execution_date: datetime | None = None,
        logical_date: datetime | None = None,
        run_id: str | None = None,
        run_type: Any = "manual",
        data_interval: tuple[datetime, datetime] | None = None,
        start_date: datetime | None = None,
        conf: dict[str, Any] | None = None,
        external_trigger: bool = False,
        **_: Any,
    ) -> Any:
        """A run to take task instances from: `run.get_task_instance("a").run(ignore_ti_state=True)`."""
        from asyncflow.testing import instances

        return instances.make_run(
            cast("DAG", self),
            logical_date or execution_date,
            run_id=run_id,
            run_type=str(getattr(run_type, "value", run_type)),
            state=str(getattr(state, "value", state)),
            data_interval=data_interval,
            started_at=start_date,
            conf=conf,
            external_trigger=external_trigger,
        )

    def clear(self, start_date: datetime | None = None, end_date: datetime | None = None, **_: Any) -> int:
        """Forget states and XComs of its runs here between two logical dates; how many states there were."""
        from asyncflow.testing import instances

        return instances.forget_runs(cast("DAG", self), start_date, end_date)

    def run(self, start_date: datetime | None = None, end_date: datetime | None = None, **kwargs: Any) -> None:
        """Play all runs between two dates, one after the other. Raises AirflowException if one of them fails."""
        from asyncflow.testing import instances

        instances.play_between(cast("DAG", self), start_date, end_date, conf=kwargs.get("conf"))

    def test_cycle(self) -> bool:
        """False; raises AirflowDagCycleException if tasks wait for each other in a circle."""
        check_cycle(cast("DAG", self))
        return False


def check_cycle(dag: DAG) -> None:
    """Raises AirflowDagCycleException if tasks wait for each other in a circle."""
    dag.topological_sort()


test_cycle = check_cycle


def run_task(task: Any, start_date: datetime | None, end_date: datetime | None, **flags: Any) -> None:
    """`task.run(...)`: one try for each run between two dates, both included. What the task raises is raised."""
    from asyncflow.testing import instances

    instances.run_between(task, start_date, end_date, **flags)
