"""Each page of the application is looked at by tests/browser/scan.py."""

from __future__ import annotations

import re

from starlette.routing import Match, Route

from asyncflow.web.app import ROUTES
from tests.browser import test_dag_deeper, test_dag_pages, test_datasets_backfills
from tests.browser.site import test_logs, test_pages

LISTS = (
    *(test_pages.ADDRESSES, test_pages.OF_DAG, test_logs.ADDRESSES),
    *(test_dag_pages.ADDRESSES, test_dag_deeper.ADDRESSES, test_datasets_backfills.ADDRESSES),
)
#: what an address of a list says of its site -> something of that form
SAMPLES = {
    "{mapped}": "/dags/d/runs/r/tasks/t",
    "{large}": "/dags/d/runs/r/tasks/t/log",
    "{asker}": "/dags/d/runs/r/tasks",
}
#: parts of a page that its script asks for
PARTS = {
    *("dags_table", "runs_table", "tasks_table", "audit_table", "grid_table", "graph_drawing", "gantt_drawing"),
    *(
        "dag_runs_table",
        "dag_task_body",
        "pools_table",
        "pool_use",
        "connections_table",
        "variables_table",
        "datasets_table",
    ),
    *("dataset_body", "dataset_events_table", "dag_datasets_body", "backfills_table", "backfill_body"),
    *("dag_backfills_table", "log_head", "log_more", "answers_table", "task_details", "copies_table"),
    *("run_instances", "admin_health_now", "admin_log_more", "sla_misses_table", "search_results"),
}
#: plain text, values as they are, JSON, the stream of what changes
NOT_PAGES = {"filters_export", "code_text", "log_text", "admin_log_text", "xcom", "health", "events"}


def _answering(address: str) -> str:
    """The name of the route that answers an address of a list."""
    for name, sample in SAMPLES.items():
        address = address.replace(name, sample)
    path = re.sub(r"\{\w+\}", "1", address).partition("?")[0]
    scope = {"type": "http", "method": "GET", "path": path}
    return next((it.name for it in ROUTES if isinstance(it, Route) and it.matches(scope)[0] is Match.FULL), "")


def test_every_page_is_in_a_list() -> None:
    asked = {it.name for it in ROUTES if isinstance(it, Route) and "GET" in (it.methods or ())}
    looked_at = {_answering(address) for addresses in LISTS for address in addresses}
    assert asked - PARTS - NOT_PAGES - looked_at == set()
    assert (PARTS | NOT_PAGES) - asked == set(), "exceptions for routes that are no more"
