"""The graph page over a real store."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest

from asyncflow.core.specs import TaskSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.web import laying
from tests.web.dag_home import DAY, DAY0, DagHome, a_run, a_spec, a_ti

pytestmark = pytest.mark.anyio


def _node(text: str, name: str) -> str:
    """The markup of one box."""
    found = re.search(rf'<a class="node [^>]*data-id="{re.escape(name)}".*?</a>', text, re.DOTALL)
    assert found is not None, f"no box {name}"
    return found[0]


async def test_boxes_show_the_states_of_the_newest_run(home: DagHome) -> None:
    await home.add(a_run(0))
    run = a_run(1)
    await home.add(run, a_ti(run, "start"), a_ti(run, "end", state=TaskState.FAILED))
    text = await home.page("/dags/etl/graph")
    assert "state-success" in _node(text, "start")
    assert "state-failed" in _node(text, "end")
    assert f'href="/dags/etl/runs/{quote(run.run_id, safe="")}/tasks/end"' in _node(text, "end")
    assert "no status" in _node(text, "load.users")


async def test_another_run_can_be_chosen(home: DagHome) -> None:
    first, second = a_run(0), a_run(1)
    await home.add(first, a_ti(first, "start", state=TaskState.SKIPPED, started_at=None))
    await home.add(second, a_ti(second, "start"))
    text = await home.page(f"/dags/etl/graph?run={quote(first.run_id)}")
    assert "state-skipped" in _node(text, "start")
    answer = await home.get("/dags/etl/graph?run=nonsense")
    assert answer.status_code == 404
    assert "nonsense" in answer.text


async def test_a_dag_without_runs_is_drawn_without_states(home: DagHome) -> None:
    text = await home.page("/dags/etl/graph")
    assert 'href="tasks/start"' in _node(text, "start")


async def test_a_closed_group_is_one_box_that_opens(home: DagHome) -> None:
    run = a_run(0)
    await home.add(run, a_ti(run, "load.users"), a_ti(run, "load.orders", map_index=0, state=TaskState.FAILED))
    text = await home.page("/dags/etl/graph?open=-")
    box = _node(text, "load")
    assert "1 failed, 1 success" in box
    assert 'href="?open=%2A"' in box
    assert 'data-before="start"' in box
    assert 'data-id="load.users"' not in text


async def test_a_run_is_drawn_with_its_own_version(home: DagHome) -> None:
    await home.add(a_run(0))
    await home.save(a_spec(tasks={"new": TaskSpec(task_id="new")}, groups={}), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/graph")
    assert 'data-id="load.users"' in text
    assert "another version" in text


async def test_labels_of_arrows_are_escaped(home: DagHome) -> None:
    tasks = {
        "a": TaskSpec(task_id="a", downstream=("b",), edge_labels={"b": "<b>yes</b>"}),
        "b": TaskSpec(task_id="b", upstream=("a",)),
    }
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/graph")
    assert "&lt;b&gt;yes&lt;/b&gt;" in text
    assert "<b>yes" not in text


async def test_long_names_are_cut_and_whole_in_the_title(home: DagHome) -> None:
    name = "x" * 200
    await home.save(a_spec(tasks={name: TaskSpec(task_id=name)}, groups={}), "v2", at=DAY0 + DAY)
    box = _node(await home.page("/dags/etl/graph"), name)
    assert f"<title>{name}" in box
    assert "x…</text>" in box


async def test_the_drawing_is_not_sent_again_while_nothing_changes(home: DagHome) -> None:
    await home.add(a_run(0, state=RunState.RUNNING, ended_at=None))
    address = (
        (await home.page("/dags/etl/graph")).split('id="dag-graph" hx-get="')[1].split('"')[0].replace("&amp;", "&")
    )
    assert (await home.get(address)).status_code == 204
    await home.add(a_run(1, state=RunState.RUNNING, ended_at=None))
    assert (await home.get(address)).status_code == 200


@pytest.mark.slow
async def test_a_large_graph_is_laid_out_in_another_process(home: DagHome) -> None:
    names = [f"t{n:03}" for n in range(300)]
    tasks = {
        name: TaskSpec(task_id=name, downstream=tuple(names[n + 1 : n + 3]), upstream=tuple(names[max(0, n - 2) : n]))
        for n, name in enumerate(names)
    }
    assert len(names) * 2 > laying.IN_A_THREAD
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + timedelta(days=1))
    text = await home.page("/dags/etl/graph?dir=down")
    assert text.count('<a class="node task"') == 300


async def test_boxes_say_how_long_they_usually_take_and_which_decide_the_end(home: DagHome) -> None:
    for day, seconds in ((0, 10), (1, 30), (2, 20)):
        run = a_run(day)
        start = run.run_after
        times = {"started_at": start, "ended_at": start + timedelta(seconds=seconds)}
        await home.add(run, a_ti(run, "start"), a_ti(run, "load.users", **times))
    text = await home.page("/dags/etl/graph")
    assert "usually 20.0 s" in _node(text, "load.users")
    assert "on the critical path" in _node(text, "load.users")
    assert "on the critical path" not in _node(text, "load.orders")
    assert text.count('class="critical"') == 2  # to the group, and in it
    assert "The critical path of this run took 22.0 s" in text
    folded = await home.page("/dags/etl/graph?open=-")
    assert "usually 20.0 s" in _node(folded, "load")
    assert 'class="node closed critical"' in _node(folded, "load")


async def test_a_run_that_goes_on_has_an_expected_end(home: DagHome) -> None:
    done = a_run(0)
    await home.add(done, *(a_ti(done, name) for name in ("start", "load.users", "end")))
    now = home.pages.now()
    run = a_run(1, state=RunState.RUNNING, run_after=now, started_at=now, ended_at=None)
    await home.add(run, a_ti(run, "start", state=TaskState.RUNNING, token="t", started_at=now, ended_at=None))
    text = await home.page("/dags/etl/graph")
    assert "Expected to end" in text
    assert "expected to end" in _node(text, "end")
    drawing = await home.page("/dags/etl/graph/drawing")
    assert 'id="foreseen" hx-swap-oob="true"' in drawing


async def test_a_state_of_the_legend_stands_out_and_the_rest_of_the_address_stays(home: DagHome) -> None:
    await home.add(a_run(0))
    text = await home.page("/dags/etl/graph?dir=down&lit=failed")
    assert "lit-failed" in text
    assert 'href="?dir=down&amp;lit=queued"' in text
    assert 'href="?dir=down" data-light="failed"' in text


async def test_times_are_in_the_zone_of_the_dag_when_the_reader_wants_that(home: DagHome) -> None:
    await home.save(a_spec(timezone="Asia/Seoul"), "v2", at=DAY0 + DAY)
    await home.add(a_run(0))
    text = await home.page("/dags/etl/code", asyncflow_zone="dag")
    assert "2026-01-02 09:00:00" in text


async def test_names_that_are_markup_stay_text(home: DagHome) -> None:
    odd = '"><script>alert(1)</script>'
    tasks = {
        "a": TaskSpec(task_id="a", label=odd, operator=odd, downstream=("b",), edge_labels={"b": odd}),
        "b": TaskSpec(task_id="b", upstream=("a",)),
    }
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/graph")
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;") >= 3
