"""The pages of datasets over a server that runs in this process."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from asyncflow.core.commands import TakeDatasetEvents
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.core.states import RunType
from asyncflow.core.timetable import DatasetTimetable, NullTimetable
from tests.web.conftest import DAY0, Site, a_dag, a_run, once_in

ORDERS = "s3://shop/orders"
USERS = "s3://shop/users"
HOSTILE = "s3://<script>alert(1)</script>/" + "x" * 300


def producer(dag_id: str = "make", *uris: str, **changed: Any) -> DagSpec:
    """A DAG whose task `load` makes datasets."""
    task = TaskSpec(task_id="load", outlets=tuple({"uri": uri} for uri in uris or (ORDERS,)))
    return a_dag(dag_id, timetable=NullTimetable(), schedule_text="None", tasks={"load": task}, **changed)


def consumer(dag_id: str, *uris: str, **changed: Any) -> DagSpec:
    """A DAG that waits for all of some datasets."""
    expression = {"all": list(uris)} if len(uris) > 1 else uris[0]
    timetable = DatasetTimetable(expression=expression)
    tasks = {"read": TaskSpec(task_id="read", inlets=({"uri": uris[0]},))}
    return a_dag(
        dag_id,
        timetable=timetable,
        schedule_text="Dataset",
        dataset_expression=expression,
        tasks=tasks,
        **changed,
    )


@pytest.fixture
def shop(empty: Site) -> Site:
    """`make` makes orders; `report` waits for it, `both` for users too, `asleep` is paused."""
    empty.add(producer())
    empty.add(consumer("report", ORDERS))
    empty.add(consumer("both", ORDERS, USERS))
    empty.add(consumer("asleep", ORDERS), paused=True)
    empty.add(a_dag("alone"))
    return empty


def _update(site: Site, uri: str = ORDERS, extra: str = "") -> str:
    """Make an event by the form; returns where it led to."""
    form = site.get(f"/datasets/update?uri={quote(uri, safe='')}")
    answer = site.send(
        "/datasets/update", {"uri": uri, "extra": extra, "once": once_in(form)}, f"/datasets/update?uri={quote(uri)}"
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def _led_to_a_run(site: Site) -> str:
    """Give `report` a run for the first event, as the scheduler would; returns its id."""
    run = a_run(dag_id="report", run_id="dataset_triggered__1", run_type=RunType.DATASET_TRIGGERED)
    site.store(run)
    take = TakeDatasetEvents(
        dag_id="report", run_id=run.run_id, uris=(ORDERS,), after=DAY0, upto=datetime(2100, 1, 1, tzinfo=UTC)
    )
    site.ask(site.server.store.commit, [take])
    return run.run_id


def test_without_datasets_the_list_says_how_to_make_one(empty: Site) -> None:
    assert "outlets=[orders]" in empty.text("/datasets")


def test_the_list_says_who_makes_and_who_waits(shop: Site) -> None:
    text = shop.text("/datasets")
    assert f'href="/datasets/show?uri={quote(ORDERS, safe="")}"' in text
    assert text.count("never updated") == 2
    assert 'href="/dags/make/tasks/load"' in text
    assert 'href="/dags/report/datasets">report</a> <small>awaited' in text
    assert "asleep</a> <small>paused: nothing is queued for it" in text
    _update(shop)
    assert "1 other is awaited" in shop.text("/datasets")


def test_the_list_is_filtered_and_sorted(shop: Site) -> None:
    assert USERS not in shop.text("/datasets?q=ORDERS")
    assert ORDERS not in shop.text("/datasets?q=users")
    assert USERS not in shop.text("/datasets?dag_id=make")
    assert "No dataset matches" in shop.text("/datasets?q=nothing")
    text = shop.text("/datasets?sort=-consumers")
    assert text.index(ORDERS) < text.index(USERS)
    assert shop.get("/datasets?sort=size").status_code == 400


def test_a_list_that_has_not_changed_is_not_sent_again(shop: Site) -> None:
    address = shop.text("/datasets").split('hx-get="')[-1].split('"')[0]
    assert shop.get(address).status_code == 204
    _update(shop)
    assert shop.get(address).status_code == 200


def test_a_dataset_shows_its_events_and_the_runs_they_led_to(shop: Site) -> None:
    location = _update(shop, extra='{"rows": 3}')
    _led_to_a_run(shop)
    text = shop.text(location)
    assert "The event is made." in text
    assert "from outside" in text
    assert "{&#34;rows&#34;: 3}" in text
    assert "/dags/report/runs/dataset_triggered__1" in text
    assert "its condition: s3://shop/orders and s3://shop/users" in text


def test_a_dataset_that_nobody_names_is_not_there(shop: Site) -> None:
    answer = shop.get("/datasets/show?uri=s3%3A%2F%2Fshop%2Forder")
    assert answer.status_code == 404
    assert ORDERS in answer.text
    assert shop.get("/datasets/show").status_code == 400


def test_the_form_says_beforehand_what_an_event_leads_to(shop: Site) -> None:
    text = shop.text(f"/datasets/update?uri={quote(ORDERS)}")
    assert "report</a>: <strong>a run starts" in text
    assert "both</a>: it is queued; other datasets are still awaited" in text
    assert "asleep</a>: paused" in text
    _update(shop)
    assert "both</a>: an update is queued for it already" in shop.text(f"/datasets/update?uri={quote(ORDERS)}")


def test_an_event_is_made_once_however_often_the_form_is_sent(shop: Site) -> None:
    form = shop.get(f"/datasets/update?uri={quote(ORDERS)}")
    fields = {"uri": ORDERS, "once": once_in(form)}
    answers = {
        shop.send("/datasets/update", fields, "/datasets/update?uri=" + ORDERS).headers["location"] for _ in "ab"
    }
    assert len(answers) == 1
    assert ORDERS in shop.text("/audit")
    assert len(shop.ask(shop.server.actions.list_dataset_events)) == 1


@pytest.mark.parametrize("extra", ["[1]", "{", "nonsense"])
def test_an_extra_that_is_no_object_comes_back_with_a_sentence(shop: Site, extra: str) -> None:
    page = f"/datasets/update?uri={quote(ORDERS)}"
    answer = shop.send("/datasets/update", {"uri": ORDERS, "extra": extra, "once": "k"}, page)
    assert answer.status_code == 400
    assert "not a JSON object" in answer.text
    assert f">{extra}</textarea>" in answer.text


def test_events_have_pages(shop: Site) -> None:
    for _ in range(52):
        shop.ask(shop.server.actions.update_dataset, ORDERS)
    text = shop.text("/datasets/events")
    assert text.count('<tr id="event-') == 50
    older = unescape(text.split('" rel="next"')[0].rsplit('href="', 1)[1])
    second = shop.text(f"/datasets/events{older}")
    assert second.count('<tr id="event-') == 2
    newer = unescape(second.split('" rel="prev"')[0].rsplit('href="', 1)[1])
    assert shop.text(f"/datasets/events{newer}").count('<tr id="event-') == 50
    assert 'id="event-1"' in shop.text("/datasets/events?sort=time")
    assert shop.get("/datasets/events?before=yesterday").status_code == 400
    assert shop.get("/datasets/events?to=yesterday").status_code == 400


def test_events_of_a_run_and_of_a_maker(shop: Site) -> None:
    _update(shop)
    run_id = _led_to_a_run(shop)
    assert f'href="/datasets/events?dag_id=report&amp;run_id={run_id}"' in shop.text(f"/dags/report/runs/{run_id}")
    text = shop.text(f"/datasets/events?dag_id=report&run_id={run_id}")
    assert 'id="event-1"' in text
    assert "No events yet" in shop.text("/datasets/events?dag_id=make")


def test_the_tab_of_a_dag_shows_what_it_waits_for_and_makes(shop: Site) -> None:
    _update(shop)
    text = shop.text("/dags/both/datasets")
    assert "s3://shop/orders and s3://shop/users" in text
    assert "Forget the update" in text
    assert "What its tasks read" in text
    text = shop.text("/dags/make/datasets")
    assert 'href="/dags/report/datasets">report</a>' in text
    assert "No dataset is in its schedule" in text


def test_a_queued_update_can_be_forgotten(shop: Site) -> None:
    _update(shop)
    answer = shop.send("/dags/both/datasets/forget", {"uri": ORDERS}, "/dags/both/datasets")
    assert answer.headers["location"] == "/dags/both/datasets"
    assert "Forget the update" not in shop.text("/dags/both/datasets")


def test_secrets_in_an_extra_are_masked(shop: Site) -> None:
    shop.ask(shop.server.actions.set_variable, key="api_password", value="hunter2-and-more")
    location = _update(shop, extra='{"by": "hunter2-and-more"}')
    text = shop.text(location)
    assert "hunter2" not in text
    assert "***" in text


def test_hostile_names_are_text(empty: Site) -> None:
    empty.add(producer("make", HOSTILE))
    empty.add(consumer("report", HOSTILE))
    for path in ("/datasets", f"/datasets/show?uri={quote(HOSTILE, safe='')}", "/datasets/graph", "/dependencies"):
        assert "<script>alert" not in empty.text(path)


# ---- graphs ---------------------------------------------------------------------------------------------------------


def test_the_graph_shows_dags_and_datasets(shop: Site) -> None:
    text = shop.text("/datasets/graph")
    assert text.count('class="node kind-dataset"') == 2
    assert text.count('class="node kind-dag"') == 4
    assert text.count("marker-end") == 5
    assert 'href="/dags/alone"' not in text


def test_the_graph_around_one_box(shop: Site) -> None:
    text = shop.text(f"/datasets/graph?around=dataset:{quote(USERS)}")
    assert text.count('class="node kind-dag"') == 1
    assert 'class="node kind-dataset chosen"' in text
    assert shop.get("/datasets/graph?around=dag:nobody").status_code == 404
    assert "Nothing of that name" in shop.text("/datasets/graph?q=nobody")
    assert shop.text("/datasets/graph?q=users").count('class="node') == 2


def test_dependencies_lead_through_the_tasks_that_name_other_dags(shop: Site) -> None:
    tasks = {
        "go": TaskSpec(task_id="go", extra={"trigger_dag_id": "alone"}),
        "wait": TaskSpec(task_id="wait", extra={"external_dag_id": "gone"}),
        "any": TaskSpec(task_id="any", extra={"trigger_dag_id": "{{ params.dag }}"}),
    }
    shop.add(a_dag("chain", tasks=tasks))
    text = shop.text("/dependencies?around=dag:chain")
    assert 'href="/dags/chain/details?task=go"' in text
    assert "gone · DAG · not in the folder" in text
    assert text.count("kind-trigger") == 2  # the box and the legend
    assert "params.dag" not in text
    tab = shop.text("/dags/chain/datasets")
    assert "only a run can tell which" in tab
    assert "triggers it" in shop.text("/dags/alone/datasets")


def test_too_many_boxes_are_not_drawn(shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncflow.web.dependency_pages.MOST", 3)
    assert "3 are the most that are drawn" in shop.text("/datasets/graph")
