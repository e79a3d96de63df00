"""Every list, with any filters, order and page: its address is its state (gate G17 of the pages).

A person walks over links of the page itself: order, next, previous, first. Wherever that leads, the address shows the
same rows when it is opened again, so does the fragment that the page asks for after a change, and the page before the
next one is the page itself.
"""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asyncflow.core.commands import SaveBackfill
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.engine import browse
from asyncflow.store.browse import AuditLine
from asyncflow.web import (
    audit_pages,
    backfill_pages,
    browse_pages,
    connection_pages,
    dag_runs,
    dataset_pages,
    run_list,
    variable_pages,
)
from tests.store.test_backfills import a_backfill
from tests.web.conftest import Site, a_dag, a_run, a_ti
from tests.web.dag_home import DAY0

LIMIT = 4
#: list -> (how a row is recognised, values of its filters)
LISTS: dict[str, tuple[str, dict[str, list[str]]]] = {
    "/": (
        r'<tr id="dag-([^"]+)"',
        {"limit": ["2", "3"], "q": ["e", "r"], "status": ["paused", "failed"], "tags": ["nightly"]},
    ),
    "/runs": (
        r'<tr id="run-([^"]+)"',
        {"state": ["failed", "success"], "type": ["manual"], "dag": ["rep"], "dag_id": ["etl"], "from": ["2026-01-05"]},
    ),
    "/dags/etl/runs": (r'<tr id="run-([^"]+)"', {"state": ["failed"], "type": ["manual"], "until": ["2026-01-06"]}),
    "/tasks": (
        r'<tr id="ti-([^"]+)"',
        {
            "state": ["failed", "success,skipped"],
            "task": ["load"],
            "tries": ["more"],
            "dag_id": ["etl"],
            "dag": ["rep"],
        },
    ),
    "/audit": (r'<tr id="audit-(\d+)"', {"via": ["ui"], "dag_id": ["etl"], "action": ["mark_tasks"]}),
    "/datasets": (r'data-href="/datasets/show([^"]+)"', {"q": ["1", "s3"]}),
    "/datasets/events": (r'<tr id="event-(\d+)"', {"uri": ["s3://1"], "to": ["2099-01-01"]}),
    "/backfills": (r'data-href="/backfills/(\d+)"', {"show": ["active"], "dag_id": ["etl"]}),
    "/pools": (r'<tr id="pool-([^"]+)"', {"q": ["p1", "e"]}),
    "/connections": (r'<tr id="connection-([^"]+)"', {"q": ["c1"], "type": ["http"]}),
    "/variables": (r'<tr id="variable-([^"]+)"', {"q": ["v1"]}),
}
CASES = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def shop(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A dozen of each, in lists with short pages that nobody hurries."""
    for module in (
        audit_pages,
        backfill_pages,
        browse_pages,
        connection_pages,
        dataset_pages,
        run_list,
        variable_pages,
    ):
        monkeypatch.setattr(module, "_LIMIT", LIMIT)
    monkeypatch.setattr(dag_runs, "_SHOWN", LIMIT)
    monkeypatch.setattr(browse, "PAGE_SECONDS", 60.0)
    for name in ("empty", "other", "rest"):
        site.add(a_dag(name), paused=name == "rest")
    states = (TaskState.SUCCESS, TaskState.FAILED, TaskState.SKIPPED)
    for day in range(1, 13):
        run = a_run(
            day,
            "report" if day % 3 == 0 else "etl",
            state=RunState.FAILED if day % 4 == 0 else RunState.SUCCESS,
            run_type=RunType.MANUAL if day % 5 == 0 else RunType.SCHEDULED,
        )
        ended = run.run_after + timedelta(seconds=day % 3)
        tis = (
            a_ti(run, name, state=states[day % 3], ended_at=ended, try_number=1 + day % 2)
            for name in ("extract", "load")
        )
        site.store(run, *tis)
    kinds = (("ui", "mark_tasks", "etl"), ("cli", "set_pool", ""))
    lines = [AuditLine(id=0, at=DAY0, via=kind[0], action=kind[1], dag_id=kind[2], arguments={}) for kind in kinds * 6]
    site.ask(site.server.store.add_audit, lines)
    actions = site.server.actions
    backfills = [msgspec.structs.replace(a_backfill(number), dag_id="etl") for number in range(1, 7)]
    site.ask(site.server.store.commit, [SaveBackfill(backfill=it) for it in backfills])
    for number in range(6):
        site.ask(actions.set_pool, f"p{number % 2}{number}", number)
        site.ask(actions.set_connection, f"c{number % 2}{number}", {"conn_type": "http" if number % 3 else "ftp"})
        site.ask(actions.set_variable, f"v{number % 2}{number}", "x")
        site.ask(actions.update_dataset, f"s3://{number % 5}")
        site.ask(actions.update_dataset, "s3://1")
    return site


def way(text: str, rel: str) -> str | None:
    """Where the link to the page before or after leads."""
    found = re.search(rf'<a href="([^"]+)" rel="{rel}"', text)
    return unescape(found[1]) if found else None


def ways(text: str) -> list[str]:
    """All links to other orders and pages."""
    parts = re.findall(r'<thead>.*?</thead>|<nav class="paging".*?</nav>', text, re.DOTALL)
    return [unescape(href) for part in parts for href in re.findall(r'<a href="([^"]+)"', part)]


def fragment(text: str, path: str) -> str:
    """What the page asks for when it is told of a change, without what it says it has."""
    address = next(it for it in map(unescape, re.findall(r'hx-get="([^"]+)"', text)) if "have=" in it)
    start, _, query = address.partition("?")
    return f"{start}?{urlencode([pair for pair in parse_qsl(query) if pair[0] != 'have'])}"


@pytest.mark.parametrize("path", LISTS)
def test_an_address_shows_the_same_rows_again(shop: Site, path: str) -> None:
    pattern, filters = LISTS[path]

    def rows(text: str) -> list[str]:
        return re.findall(pattern, text)

    @CASES
    @given(
        st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in filters.items()}),
        st.lists(st.integers(0, 30), max_size=4),
    )
    def walk(chosen: dict[str, str], steps: list[int]) -> None:
        address = f"{path}?{urlencode(chosen)}"
        text = shop.text(address)
        for step in steps:
            assert rows(shop.text(address)) == rows(text), address
            assert rows(shop.text(fragment(text, path))) == rows(text), address
            onward = way(text, "next")
            if onward is not None:
                back = way(shop.text(path + onward), "prev")
                assert back is not None, address
                assert rows(shop.text(path + back if back.startswith("?") else back)) == rows(text), address
            links = ways(text)
            if not links:
                return
            href = links[step % len(links)]
            address = path + href if href.startswith("?") else href
            text = shop.text(address)
            kept = dict(parse_qsl(address.partition("?")[2]))
            assert chosen.items() <= kept.items(), "a filter was lost on the way"

    walk()


def test_the_lists_have_more_than_a_page(shop: Site) -> None:
    for path in (
        "/runs",
        "/tasks",
        "/audit",
        "/dags/etl/runs",
        "/datasets",
        "/datasets/events",
        "/connections",
        "/variables",
        "/backfills",
    ):
        assert way(shop.text(path), "next"), path
