"""The page of a task, or task group, over all runs."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from asyncflow.core.specs import TaskGroupSpec, TaskSpec
from asyncflow.core.states import RunState, TaskState
from asyncflow.web import dag_task_view
from asyncflow.web.i18n import Language
from tests.web.conftest import RUN, RUN_PATH, Site, a_dag, a_run, a_ti

ENGLISH = Language("en")


def rows(text: str) -> list[str]:
    """The runs that are listed."""
    return [name.removeprefix("scheduled__")[:10] for name in re.findall(r'<tr id="in-([^"]+)"', text)]


def test_a_task_is_shown_over_the_runs_newest_first(site: Site) -> None:
    for day in (1, 2):
        run = a_run(day)
        site.store(run, a_ti(run, "load", ended_at=run.run_after + timedelta(seconds=day * 10)))
    text = site.text("/dags/etl/tasks/load")
    assert rows(text) == ["2026-01-03", "2026-01-02", "2026-01-01"]
    assert f'<a href="{RUN_PATH}/tasks/load">{RUN}</a>' in text
    assert f'data-href="{RUN_PATH}/tasks/load/log"' in text
    assert 'href="/tasks?dag_id=etl&amp;task_id=load&amp;state=failed"' in text
    assert text.count("<circle") == 3
    assert re.search(r"<dt>Median</dt><dd>10(\.0)? s</dd>", text)


def test_it_says_what_the_file_says_and_where_to_go_on(site: Site) -> None:
    text = site.text("/dags/etl/tasks/load")
    assert '<a href="/dags/etl/tasks/extract">extract</a>' in text
    assert '<a href="/pools/default_pool">default_pool</a>' in text
    assert "1, every 5 min" in text
    for way in ("/dags/etl/grid?root=load", "/dags/etl/graph?root=load", "/dags/etl/code?task=load"):
        assert f'href="{way}"' in text


@pytest.mark.parametrize(
    "page", ["/dags/etl/grid", "/dags/etl/details", f"{RUN_PATH}/tasks/load", "/search/results?q=load"]
)
def test_a_task_leads_there_from_everywhere(site: Site, page: str) -> None:
    assert 'href="/dags/etl/tasks/load"' in site.text(page)


def test_the_graph_of_a_dag_without_runs_leads_there(empty: Site) -> None:
    empty.add(a_dag())
    assert 'href="tasks/load"' in empty.text("/dags/etl/graph")
    assert "No runs yet." in empty.text("/dags/etl/tasks/load")


def test_a_mapped_task_has_one_row_for_all_its_copies(empty: Site) -> None:
    tasks = {"load": TaskSpec(task_id="load", is_mapped=True, template_fields=("x",))}
    empty.add(a_dag(tasks=tasks))
    run = a_run()
    states = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SUCCESS)
    empty.store(run, *(a_ti(run, "load", map_index=n, state=state) for n, state in enumerate(states)))
    text = empty.text("/dags/etl/tasks/load")
    assert len(rows(text)) == 1
    assert f'<a href="{RUN_PATH}/tasks/load/copies">' in text
    assert " ×2" in text


def test_a_group_counts_its_tasks_and_leads_to_them(empty: Site) -> None:
    names = {"a": None, "g.b": "g", "g.h.c": "g.h"}
    edges = {"a": ("g.b",), "g.b": ("g.h.c",), "g.h.c": ()}
    tasks = {
        name: TaskSpec(
            task_id=name,
            group_id=group,
            downstream=edges[name],
            upstream=tuple(it for it in edges if name in edges[it]),
        )
        for name, group in names.items()
    }
    groups = {"g": TaskGroupSpec(group_id="g"), "g.h": TaskGroupSpec(group_id="g.h", parent="g")}
    empty.add(a_dag(tasks=tasks, groups=groups))
    run = a_run()
    states = {"a": TaskState.SUCCESS, "g.b": TaskState.UP_FOR_RETRY, "g.h.c": TaskState.UP_FOR_RETRY}
    empty.store(run, *(a_ti(run, name, state=states[name]) for name in names))
    text = empty.text("/dags/etl/tasks/g")
    assert f'<a href="{RUN_PATH}?task_id=g">' in text
    assert "task group" in text
    assert re.findall(r'data-label="Duration">([^<]*)<', text) == ["2.00 s"]
    assert " ×2" in text
    for name in names:
        assert f'<a href="/dags/etl/tasks/{name}">{name}</a>' in text
    assert '<a href="/dags/etl/tasks/g">g</a>' in empty.text("/dags/etl/tasks/g.b")


def test_a_task_that_is_gone_is_found_while_a_run_had_it(site: Site) -> None:
    site.add(a_dag(tasks={"other": TaskSpec(task_id="other")}), version="v2")
    text = site.text("/dags/etl/tasks/load")
    assert "not in the newest version" in text
    assert rows(text) == ["2026-01-01"]
    assert "None of these runs had it." in site.text("/dags/etl/tasks/other")


def test_an_unknown_task_gets_a_sentence(site: Site) -> None:
    answer = site.get("/dags/etl/tasks/lod")
    assert (answer.status_code, "Did you mean" in answer.text) == (404, True)


def test_it_has_pages_and_follows_what_changes(site: Site) -> None:
    for day in range(1, 12):
        run = a_run(day)
        site.store(run, a_ti(run, "load"))
    first = site.text("/dags/etl/tasks/load?runs=10")
    assert "1 to 10 of 12" in first
    assert rows(site.text("/dags/etl/tasks/load?runs=10&page=2")) == ["2026-01-02", "2026-01-01"]
    address = re.findall(r'hx-get="(/dags/etl/tasks/load/body[^"]+)"', first)[0].replace("&amp;", "&")
    assert site.get(address).status_code == 204
    site.ask(site.server.actions.mark_tasks, "etl", RUN, "load", "success")
    run = a_run(12)
    site.store(run, a_ti(run, "load"))
    assert site.get(address).status_code == 200


def test_hostile_names_are_text(empty: Site) -> None:
    name = "<script>x"
    empty.add(a_dag(tasks={name: TaskSpec(task_id=name, operator="<b>", doc_md="<img>", task_display_name="<i>")}))
    text = empty.text("/dags/etl/tasks/%3Cscript%3Ex")
    assert "&lt;script&gt;x" in text
    assert not {"<script>x", "<b>", "<img>", "<i>"} & set(re.findall(r"<[^>]*>x?", text))
    assert 'href="/dags/etl/tasks/%3Cscript%3Ex"' in empty.text("/dags/etl/grid")


def test_what_is_as_usual_is_left_out() -> None:
    task = TaskSpec(task_id="t", sla=timedelta(hours=1), depends_on_past=True, group_id="g", pool_slots=2)
    facts = {fact.label: fact.value for fact in dag_task_view.facts(task, "d", ENGLISH)}
    assert facts["SLA"] == "1 h"
    assert facts["Depends on past"] == "yes"
    assert facts["Pool"] == "default_pool (2 slots)"
    assert facts["Retries"] == "none"
    plain = dag_task_view.facts(TaskSpec(task_id="t"), "d", ENGLISH)
    assert {"SLA", "Timeout", "Depends on past", "Task group"} & {fact.label for fact in plain} == set()


def test_one_that_runs_takes_as_long_as_until_now(empty: Site) -> None:
    empty.add(a_dag())
    run = a_run(state=RunState.RUNNING, ended_at=None)
    empty.store(run, a_ti(run, "load", state=TaskState.RUNNING, token="t", ended_at=None, started_at=run.run_after))
    text = empty.text("/dags/etl/tasks/load")
    assert " d " in re.findall(r'data-label="Duration">(.*?)</td>', text)[0]
