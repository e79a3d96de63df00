"""The pages with runs, details and code of a DAG, over a real store."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from asyncflow.core.specs import ParamSpec, TaskSpec
from asyncflow.core.states import RunState, RunType
from asyncflow.web.marked import markdown
from tests.web.dag_home import DAY, DAY0, SOURCE, DagHome, a_run, a_spec

pytestmark = pytest.mark.anyio


async def test_the_address_of_a_dag_leads_to_its_grid(home: DagHome) -> None:
    answer = await home.get("/dags/etl?runs=10")
    assert (answer.status_code, answer.headers["location"]) == (307, "/dags/etl/grid?runs=10")


@pytest.mark.parametrize("page", ["grid", "graph", "runs", "details", "code"])
async def test_every_page_has_the_head_with_its_tab(home: DagHome, page: str) -> None:
    text = await home.page(f"/dags/etl/{page}")
    assert f'href="/dags/etl/{page}" aria-current="page"' in text
    assert "0 0 * * *" in text


async def test_the_head_says_which_datasets_a_dag_waits_for(home: DagHome) -> None:
    datasets = {"s3://a": "2026-01-02T00:00:00+00:00", "s3://b": None}
    home.pages.datasets = lambda spec: {"dataset_condition": "s3://a and s3://b", "datasets": datasets}
    text = await home.page("/dags/etl/details")
    assert "waits for s3://a and s3://b" in text
    assert "1 of 2 datasets updated" in text
    assert "<code>s3://b</code></a> <small>awaited" in text


async def test_runs_show_interval_due_and_start(home: DagHome) -> None:
    run = a_run(0, note="by <hand>")
    await home.add(run)
    text = await home.page("/dags/etl/runs")
    assert f'href="/dags/etl/runs/{quote(run.run_id, safe="")}"' in text
    for moment in ("2026-01-01 00:00:00", "2026-01-02 00:00:00"):
        assert moment in text
    assert "10.0 s" in text
    assert "by &lt;hand&gt;" in text


async def test_runs_are_paged_and_filtered(home: DagHome) -> None:
    for day in range(52):
        await home.add(a_run(day))
    await home.add(a_run(60, run_id="by_hand", run_type=RunType.MANUAL, state=RunState.FAILED))
    text = await home.page("/dags/etl/runs")
    assert text.count('<td class="name">') == 50
    assert "1 to 50 of 53" in text
    older = await home.page("/dags/etl/runs?page=2")
    assert older.count('<td class="name">') == 3
    assert '<a href="?" rel="prev" data-key="[">' in older
    assert re.findall(r'<tr id="run-([^"]+)"', await home.page("/dags/etl/runs?sort=state"))[0] == "by_hand"
    assert (await home.page("/dags/etl/runs?type=manual&state=failed")).count('<td class="name">') == 1
    assert "No runs match." in await home.page("/dags/etl/runs?type=backfill")


async def test_the_list_of_runs_polls_while_one_is_active(home: DagHome) -> None:
    await home.add(a_run(0, state=RunState.QUEUED, started_at=None, ended_at=None))
    address = (await home.page("/dags/etl/runs")).split('id="dag-runs" hx-get="')[1].split('"')[0].replace("&amp;", "&")
    assert (await home.get(address)).status_code == 204
    await home.add(a_run(1))
    assert (await home.get(address)).status_code == 200


async def test_details_say_what_the_file_says(home: DagHome) -> None:
    params = {"limit": ParamSpec(value=10, schema={"type": "integer"}), "must": ParamSpec(has_value=False)}
    spec = a_spec(params=params, doc_md="# Orders\n\n<script>x</script>", max_active_runs=3, owner="data")
    await home.save(spec, "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/details")
    assert "<h1>Orders</h1>" in text
    assert "&lt;script&gt;x" in text
    assert "must be given" in text
    assert "took 0.25 s" in text
    assert "<dt>Versions</dt><dd>2</dd>" in text


async def test_tasks_of_a_large_dag_are_paged_and_searched(home: DagHome) -> None:
    tasks = {f"t{n:03}": TaskSpec(task_id=f"t{n:03}", retries=2) for n in range(120)}
    await home.save(a_spec(tasks=tasks, groups={}), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/details?from=100")
    assert "101 to 120 of 120" in text
    assert "t099" not in text
    assert "1 to 1 of 1" in await home.page("/dags/etl/details?task=T007")


def test_markdown_keeps_out_what_acts() -> None:
    html = markdown('[a](javascript:alert(1)) <b hx-get="/x">b</b> [c](https://example.org)')
    assert "javascript" not in re.findall(r'href="([^"]*)"', html)
    assert "<b" not in html
    assert 'href="https://example.org"' in html


async def test_code_is_coloured_and_escaped(home: DagHome) -> None:
    text = await home.page("/dags/etl/code")
    assert '<tr id="L3">' in text
    assert "&lt;script&gt;" in text
    assert "<script>" not in text.split('class="code"')[1]
    assert '<span class="py-kn">from</span>' in text


async def test_the_file_as_plain_text(home: DagHome) -> None:
    answer = await home.get("/dags/etl/code/text")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.startswith("from airflow import DAG")


async def test_versions_are_compared_by_their_text(home: DagHome) -> None:
    await home.save(
        a_spec(description="x"), "v2", at=DAY0 + DAY, source='from airflow import DAG\n\nwith DAG("other"):\n    pass\n'
    )
    text = await home.page("/dags/etl/code?version=v2&against=v1")
    assert (
        '<tr class="old"><td>3</td><td></td><td>−</td><td>with DAG(&#34;etl&#34;):  # &lt;script&gt;</td></tr>' in text
    )
    assert '<tr class="new"><td></td><td>3</td><td>+</td>' in text
    assert '<tr class="same"><td>1</td><td>1</td>' in text


async def test_versions_with_the_same_text_are_compared_by_what_it_made(home: DagHome) -> None:
    await home.save(a_spec(max_active_runs=7), "v2", at=DAY0 + DAY)
    text = await home.page("/dags/etl/code?version=v2&against=v1")
    assert "The text of the file is the same" in text
    assert "&#34;max_active_runs&#34;: 7" in text
    assert "These versions are the same." in await home.page("/dags/etl/code?version=v2&against=v2")


async def test_an_unknown_version_is_not_found(home: DagHome) -> None:
    assert (await home.get("/dags/etl/code?version=v9")).status_code == 404


async def test_a_task_leads_to_the_line_that_makes_it(home: DagHome) -> None:
    await home.save(a_spec(), "v2", at=DAY0 + DAY, source="x = 1\nf(task_id='start')\n")
    answer = await home.get("/dags/etl/code?version=v2&task=start")
    assert (answer.status_code, answer.headers["location"]) == (307, "/dags/etl/code?version=v2#L2")
    assert "was not found in this file" in await home.page("/dags/etl/code?task=%3Cnone%3E")
    assert '<a href="#L2">start</a>' in await home.page("/dags/etl/code")


async def test_lines_and_tasks_name_the_version_that_made_them(home: DagHome) -> None:
    await home.save(a_spec(), "v2", at=DAY0 + DAY, source=SOURCE + "f(task_id='start')\n")
    text = await home.page("/dags/etl/code?blame=1")
    assert re.findall(r'title="since version (\d)"', text) == ["1"] * 4 + ["2"]
    assert "Changed in version" in text
    assert "blame=1" not in await home.page("/dags/etl/code?version=v2&against=v1")
