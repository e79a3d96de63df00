"""The addresses of the lists over all DAGs, and of what is done to what is selected there."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from asyncflow.web import audit_pages, browse_pages, bulk_pages

ROUTES: Sequence[BaseRoute] = (
    Route("/tasks", browse_pages.index, name="tasks"),
    Route("/tasks/table", browse_pages.table, name="tasks_table"),
    Route("/tasks/change", bulk_pages.tasks_form, name="tasks_change_form"),
    Route("/tasks/change", bulk_pages.tasks, methods=["POST"], name="tasks_change"),
    Route("/runs/change", bulk_pages.runs_form, name="runs_change_form"),
    Route("/runs/change", bulk_pages.runs, methods=["POST"], name="runs_change"),
    Route("/audit", audit_pages.index, name="audit"),
    Route("/audit/table", audit_pages.table, name="audit_table"),
)
