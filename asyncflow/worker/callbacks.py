"""DAG-level callbacks, and task-level ones whose own process died before it could call them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asyncflow.authoring import mail
from asyncflow.authoring.api import TaskApi
from asyncflow.authoring.deadlines import call_deadline
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.taskinstance import TaskInstance, aware
from asyncflow.core.messages import RunCallback, TryInfo
from asyncflow.worker.runner import run_callbacks, utc_now
from asyncflow.worker.tasklog import log_to_stdout

log = logging.getLogger("airflow.task")

_ATTRIBUTES = {
    "dag_success": "on_success_callback",
    "dag_failure": "on_failure_callback",
    "task_success": "on_success_callback",
    "task_failure": "on_failure_callback",
    "task_retry": "on_retry_callback",
    "task_skipped": "on_skipped_callback",
}


def run_callback(dag: Any, job: RunCallback, api: TaskApi) -> None:
    """Call what `job` names. Raises AirflowException with the callbacks' errors, one line each.

    A DAG's callbacks see the context of its last task, as in Airflow, with `reason`.
    """
    with log_to_stdout():
        if job.kind == "sla_miss":
            errors = _missed_slas(dag, job, api)
        elif job.kind == "deadline":
            errors = _missed_deadline(dag, job, api)
        else:
            errors = _ended(dag, job, api)
    if errors:
        raise AirflowException("; ".join(errors))


def _ended(dag: Any, job: RunCallback, api: TaskApi) -> list[str]:
    """The callbacks of a run that has ended, or of a task that could not call them itself; and its mail."""
    name = _ATTRIBUTES[job.kind]
    context, task = _context(dag, job, api)
    if job.info is None:
        return run_callbacks(getattr(dag, name, None), context, name)
    errors = []
    if job.kind in ("task_failure", "task_retry"):
        context["exception"] = AirflowException(job.reason)
        if mail.is_wanted(task, job.kind == "task_retry"):
            errors = [problem] if (problem := mail.alert(task, context, job.reason)) else []
    return errors + run_callbacks(getattr(task, name, None), context, name)


def _context(dag: Any, job: RunCallback, api: TaskApi) -> tuple[Any, Any]:
    info = job.info or _any_task(dag, job)
    task = dag.task_dict[info.task_id]
    context = TaskInstance(task, info, api, now=utc_now, test_mode=False).get_template_context()
    context["reason"] = job.reason
    return context, task


class SlaMiss:
    """One task that missed its SLA, as `sla_miss_callback` gets it."""

    def __init__(self, job: RunCallback, task_id: str) -> None:
        self.task_id = task_id
        self.dag_id = job.dag_id
        self.execution_date = self.logical_date = aware(job.run.logical_date)
        self.timestamp = aware(datetime.fromisoformat(job.details["at"]))
        self.email_sent = self.notification_sent = False
        self.description = None

    def __repr__(self) -> str:
        return f"SlaMiss({self.dag_id}, {self.task_id}, {self.execution_date})"


def _missed_slas(dag: Any, job: RunCallback, api: TaskApi) -> list[str]:
    """`sla_miss_callback(dag, task_list, blocking_task_list, slas, blocking_tis)`, and the mail."""
    slas = [SlaMiss(job, task_id) for task_id in job.details["tasks"]]
    open_ones = [row for row in job.details["blocking"] if row["task_id"] in dag.task_dict]
    blocking = [_blocking(dag, job, row, api) for row in open_ones]
    date = job.run.logical_date.isoformat() if job.run.logical_date else ""
    lines = ["\n".join(f"{name} on {date}" for name in names) for names in (_names(slas), _names(blocking))]
    errors = []
    for callback in _listed(dag.sla_miss_callback):
        who = getattr(callback, "__name__", type(callback).__name__)
        log.info("Executing sla_miss_callback %s", who)
        try:
            callback(dag, *lines, slas, blocking)
        except Exception as error:
            log.exception("Error when executing sla_miss_callback %s", who)
            errors.append(f"{who}: {type(error).__name__}: {error}")
    tasks = [dag.task_dict[sla.task_id] for sla in slas if sla.task_id in dag.task_dict]
    return errors + mail.sla_alert(tasks, dag.dag_id, job.details)


def _names(items: Iterable[Any]) -> list[str]:
    return [item.task_id for item in items]


def _blocking(dag: Any, job: RunCallback, row: dict[str, Any], api: TaskApi) -> TaskInstance:
    info = TryInfo(
        token="",
        dag_id=dag.dag_id,
        task_id=row["task_id"],
        map_index=row["map_index"],
        try_number=row["try_number"],
        run=job.run,
        log_path="",
    )
    ti = TaskInstance(dag.task_dict[row["task_id"]], info, api, now=utc_now, test_mode=False)
    ti.state = row["state"]
    return ti


def _missed_deadline(dag: Any, job: RunCallback, api: TaskApi) -> list[str]:
    """The callback of one of the DAG's deadlines, with the arguments it was given and the context."""
    alerts = _listed(dag.deadline)
    context, _ = _context(dag, job, api)
    return call_deadline(alerts[job.details["number"]], context)


def _listed(value: Any) -> list[Any]:
    """One callback, or several; None is none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple | set) else [value]


def _any_task(dag: Any, job: RunCallback) -> TryInfo:
    return TryInfo(token="", dag_id=dag.dag_id, task_id=list(dag.task_dict)[-1], run=job.run, log_path=job.log_path)
