"""DAG-level callbacks, and task-level ones whose own process died before it could call them."""

from __future__ import annotations

from typing import Any

from asyncflow.authoring.api import TaskApi
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.core.messages import RunCallback, TryInfo
from asyncflow.worker.runner import run_callbacks, utc_now
from asyncflow.worker.tasklog import log_to_stdout

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
    name = _ATTRIBUTES[job.kind]
    info = job.info or _any_task(dag, job)
    task = dag.task_dict[info.task_id]
    with log_to_stdout():
        context = TaskInstance(task, info, api, now=utc_now, test_mode=False).get_template_context()
        context["reason"] = job.reason
        if job.info is not None and job.kind != "task_success":
            context["exception"] = AirflowException(job.reason)
        owner = dag if job.info is None else task
        errors = run_callbacks(getattr(owner, name, None), context, name)
    if errors:
        raise AirflowException("; ".join(errors))


def _any_task(dag: Any, job: RunCallback) -> TryInfo:
    return TryInfo(token="", dag_id=dag.dag_id, task_id=list(dag.task_dict)[-1], run=job.run, log_path=job.log_path)
