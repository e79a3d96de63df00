"""The list of what was late."""

from __future__ import annotations

import re
from datetime import timedelta

from asyncflow.core.commands import SaveSlaMiss
from tests.web.conftest import DAY0, RUN, RUN_PATH, Site


def miss(site: Site, task_id: str, minutes: int = 0) -> None:
    when = DAY0 + timedelta(minutes=minutes)
    site.ask(
        site.server.store.commit,
        [SaveSlaMiss(dag_id="etl", run_id=RUN, task_id=task_id, deadline=when, missed_at=when)],
    )
    site.server.changes.noted("etl")


def test_nothing_was_late(site: Site) -> None:
    assert "Nothing was late." in site.text("/sla-misses")


def test_tasks_and_runs_that_were_late_lead_to_their_pages(site: Site) -> None:
    miss(site, "load")
    miss(site, "", 5)
    text = site.text("/sla-misses")
    assert re.findall(r'<tr data-href="([^"]+)"', text) == [RUN_PATH, f"{RUN_PATH}/tasks/load"]
    assert "2026-01-01 00:05:00 UTC" in text
    assert "Nothing was late." in site.text("/sla-misses?dag_id=%3Cnone%3E")
    (again,) = re.findall(r'hx-get="([^"]+)" hx-trigger="runs from', text)
    assert site.get(again.replace("&amp;", "&")).status_code == 204
    assert site.get("/sla-misses/table?dag_id=etl").status_code == 200
