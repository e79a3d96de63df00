"""LatestOnlyOperator: what comes after runs only in the most recent scheduled run."""

from __future__ import annotations

from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.operators.branch import BaseBranchOperator


class LatestOnlyOperator(BaseBranchOperator):
    """Skips all direct successors unless now lies in the interval after the run's own; runs by hand always go on.

    By hand is: triggered from outside; in Airflow 3's dialect every manual run, `dag.test()` too.
    """

    ui_color = "#e9ffdb"

    def choose_branch(self, context: Any) -> list[str]:
        """All successors, or none."""
        run = context["dag_run"]
        after = sorted(context["task"].get_direct_relative_ids(upstream=False))
        if run.external_trigger or (context["dag"].dialect == 3 and run.run_type == "manual"):
            self.log.info("Externally triggered DAG_Run: allowing execution to proceed.")
            return after
        window = next_window(context["dag"], run)
        if window is None:
            self.log.info("Last scheduled execution: allowing execution to proceed.")
            return after
        now = timezone.utcnow()
        self.log.info("Checking latest only with left_window: %s right_window: %s now: %s", *window, now)
        if window[0] < now <= window[1]:
            self.log.info("Latest, allowing execution to proceed.")
            return after
        self.log.info("Not latest execution, skipping downstream.")
        return []


def next_window(dag: Any, run: Any) -> tuple[Any, Any] | None:
    """The data interval after that of a run: while it lasts, the run is the latest. None if no run follows."""
    from asyncflow.authoring.timetables import DataInterval

    if run.data_interval_start is None or run.data_interval_end is None:
        raise AirflowException("LatestOnlyOperator needs a run with a data interval.")
    last = DataInterval(run.data_interval_start, run.data_interval_end)
    info = dag.next_dagrun_info(last, restricted=False)
    if info is None:
        return None
    start, end = info.data_interval
    # a timetable of moments (CronTrigger) has empty intervals: the window runs to the next moment
    return (run.data_interval_start, start) if start == end else (start, end)
