"""The pages with duration, landing times and tries, over a real store."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from asyncflow.core.specs import TaskSpec
from tests.web.dag_home import DAY, DAY0, DagHome, a_run, a_spec, a_ti

pytestmark = pytest.mark.anyio


@pytest.fixture
async def home(home: DagHome) -> DagHome:
    for day in range(3):
        run = a_run(day)
        slow = a_ti(run, "load.users")
        slow.ended_at = run.run_after + timedelta(seconds=60 + day)
        await home.add(run, a_ti(run, "start", try_number=2), slow)
    return home


def _row(text: str, name: str) -> str:
    found = re.search(rf'<tr><th scope="row">{name}</th>.*?</tr>', text, re.DOTALL)
    assert found is not None, f"no chart of {name}"
    return found[0]


async def test_the_slowest_task_comes_first(home: DagHome) -> None:
    text = await home.page("/dags/etl/duration")
    assert re.findall(r'<th scope="row">([^<]*)', text)[:3] == ["All of the run", "load.users", "start"]
    assert '<td class="n" data-label="Median">1 min</td>' in _row(text, "load.users")
    assert _row(text, "start").count("<circle") == 3


async def test_each_dot_leads_to_its_task_instance(home: DagHome) -> None:
    row = _row(await home.page("/dags/etl/tries"), "start")
    assert "/tasks/start" in row
    assert '<td class="n" data-label="Median">2</td>' in row


async def test_the_zoom_is_shared_by_the_three_pages(home: DagHome) -> None:
    text = await home.page("/dags/etl/landing?runs=2&until=2026-01-03")
    assert 'href="duration?runs=2&amp;until=2026-01-03"' in text
    assert _row(text, "start").count("<circle") == 2


async def test_a_large_dag_keeps_its_order_and_is_paged(home: DagHome) -> None:
    tasks = {f"t{n:03}": TaskSpec(task_id=f"t{n:03}") for n in range(130)}
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/duration?line=120")
    assert "tasks 121 to 130 of 130" in text
    assert "too many tasks to be sorted" in text
    assert "1 of 1" in await home.page("/dags/etl/duration?task=t005")


async def test_versions_are_marked(home: DagHome) -> None:
    await home.save(a_spec(description="new"), "v2", at=DAY0 + DAY)
    await home.add(a_run(5, version="v2"))
    assert "<title>version 2 from here</title>" in await home.page("/dags/etl/duration")


async def test_a_dag_without_runs_says_so(home: DagHome) -> None:
    assert "No runs yet." in await home.page("/dags/etl/duration?until=2020-01-01")
