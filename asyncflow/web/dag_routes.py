"""The addresses of the pages of one DAG."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route

from asyncflow.web import (
    cells_pages,
    dag_calendar,
    dag_charts,
    dag_code,
    dag_details,
    dag_gantt,
    dag_graph,
    dag_grid,
    dag_runs,
)

ROUTES: Sequence[BaseRoute] = (
    Route("/dags/{dag_id}", dag_grid.to_grid, name="dag"),
    Route("/dags/{dag_id}/grid", dag_grid.show, name="grid"),
    Route("/dags/{dag_id}/grid/table", dag_grid.table, name="grid_table"),
    Route("/dags/{dag_id}/cells/clear", cells_pages.clear_form, name="cells_clear_form"),
    Route("/dags/{dag_id}/cells/clear", cells_pages.clear, methods=["POST"], name="cells_clear"),
    Route("/dags/{dag_id}/cells/mark", cells_pages.mark_form, name="cells_mark_form"),
    Route("/dags/{dag_id}/cells/mark", cells_pages.mark, methods=["POST"], name="cells_mark"),
    Route("/dags/{dag_id}/graph", dag_graph.show, name="graph"),
    Route("/dags/{dag_id}/graph/drawing", dag_graph.drawing, name="graph_drawing"),
    Route("/dags/{dag_id}/calendar", dag_calendar.show, name="calendar"),
    Route("/dags/{dag_id}/gantt", dag_gantt.show, name="gantt"),
    Route("/dags/{dag_id}/gantt/drawing", dag_gantt.drawing, name="gantt_drawing"),
    Route("/dags/{dag_id}/duration", dag_charts.charts("duration"), name="duration"),
    Route("/dags/{dag_id}/landing", dag_charts.charts("landing"), name="landing"),
    Route("/dags/{dag_id}/tries", dag_charts.charts("tries"), name="tries"),
    Route("/dags/{dag_id}/runs", dag_runs.show, name="dag_runs"),
    Route("/dags/{dag_id}/runs_table", dag_runs.table, name="dag_runs_table"),
    Route("/dags/{dag_id}/details", dag_details.show, name="details"),
    Route("/dags/{dag_id}/code", dag_code.show, name="code"),
    Route("/dags/{dag_id}/code/text", dag_code.text, name="code_text"),
)
