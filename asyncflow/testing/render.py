"""Renders the templates of one task without running it: `asyncflow tasks render`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from asyncflow.authoring.api import use_api
from asyncflow.authoring.context import set_current_context
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import check_conf, single_try
from asyncflow.worker.rendered import rendered_fields
from asyncflow.worker.runner import utc_now


def render_one(
    dag: DAG, task_id: str, logical_date: dt.datetime | None = None, *, map_index: int = -1, run_id: str | None = None
) -> dict[str, Any]:
    """The template fields as a manual run would have them, by name: JSON values, secrets masked.

    Raises errors.NotFound for an unknown task, and whatever a template raises.
    """
    task: Any = dag.get_task(task_id)
    api = MemoryApi()
    info = single_try(dag, task_id, logical_date, map_index, check_conf(dag, None), run_id)
    api.runs[dag.dag_id, info.run.run_id] = info.run
    before = use_api(api)
    try:
        context = TaskInstance(task, info, api, now=utc_now, test_mode=True).get_template_context()
        with set_current_context(context):
            copy = (task.unmap_for(context) if task.is_mapped else task).prepare_for_execution()
            context["task"] = copy
            copy.render_template_fields(context)
            return rendered_fields(copy)
    finally:
        use_api(before)
