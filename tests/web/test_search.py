"""Search over all that has a name."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import pytest

from asyncflow.core.specs import TaskSpec
from asyncflow.engine.search import Found, Hit
from asyncflow.web import search_view
from asyncflow.web.i18n import Language
from tests.web.conftest import RUN, RUN_PATH, Site, a_dag, a_run, a_ti

ENGLISH = Language("en")
NOTHING = Found([], [], [], [], [], [], [])


def found(site: Site, text: str) -> dict[str, list[str]]:
    """By the heads of the groups: the addresses of what is found."""
    page = site.get(f"/search/results?q={text}").text
    parts = re.split(r"<h2>([^<]*)</h2>", page)[1:]
    return {
        title: [unescape(href) for href in re.findall(r'href="([^"]*)"', body)]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


@pytest.fixture
def shop(site: Site) -> Site:
    """Something of each kind that is called after sales."""
    tasks = {"sales": TaskSpec(task_id="sales", outlets=({"kind": "dataset", "uri": "s3://sales", "name": ""},))}
    site.add(a_dag("sales_report", tasks=tasks))
    actions = site.server.actions
    site.ask(actions.set_pool, "sales", 3)
    site.ask(actions.set_connection, "sales_db", {"conn_type": "http", "password": "secret-word"})
    site.ask(actions.set_variable, "my_sales", "secret-word")
    return site


def test_everything_with_a_name_is_found(shop: Site) -> None:
    groups = found(shop, "SALES")
    assert groups["DAGs"] == ["/dags/sales_report"]
    assert groups["Tasks"] == ["/dags/sales_report/tasks/sales"]
    assert groups["Pools"] == ["/pools/sales"]
    assert groups["Connections"] == ["/connections/sales_db"]
    assert groups["Variables"] == ["/variables/my_sales"]
    assert list(groups)[:2] == ["Tasks", "Pools"], "kinds with the very name come first"


def test_values_are_neither_found_nor_shown(shop: Site) -> None:
    assert found(shop, "secret-word") == {}
    assert "secret-word" not in shop.text("/search?q=sales")


def test_pages_are_found_by_their_names_in_both_languages(site: Site) -> None:
    assert found(site, "server lo")["Pages"] == ["/admin/log"]
    site.cookies.set("asyncflow_language", "ko")
    assert found(site, Language("ko")("Audit log"))[Language("ko")("Pages")] == ["/audit"]
    assert "/audit" in str(found(site, "audit"))


def test_a_run_with_the_very_id_comes_first(site: Site) -> None:
    for name in ("manual", "manual_1", "manual_2"):
        run = a_run(int(name[-1]) if name[-1].isdigit() else 5, run_id=name)
        site.store(run, a_ti(run, "load"))
    runs = found(site, "manual")["Runs"]
    assert [path.rpartition("/")[2] for path in runs] == ["manual", "manual_2", "manual_1"]
    assert found(site, quote(RUN))["Runs"] == [RUN_PATH]


@pytest.mark.parametrize(
    "text", ["%00", "%", "<script>", "'%20OR%201=1--", "a" * 5000, "%F0%9F%90%98", "%0a", "%ff%fe", "\\", "*", "?"]
)
def test_hostile_texts_find_nothing_and_break_nothing(site: Site, text: str) -> None:
    for page in ("/search", "/search/results"):
        answer = site.get(f"{page}?q={text}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "<script>'" not in answer.text


def test_hostile_names_are_text() -> None:
    hit = Hit(0, ('a/b"><script>', 'a/b"><script>', "x"))
    (group,) = search_view.groups(NOTHING._replace(dags=[hit]), "zzz", 9, ENGLISH)
    assert group.links[0].href == "/dags/a%2Fb%22%3E%3Cscript%3E"


def test_kinds_with_equally_good_answers_are_in_their_usual_order() -> None:
    hits = NOTHING._replace(pools=[Hit(1, ("a",))], variables=[Hit(0, ("a",))], runs=[Hit(1, ("d", "a", "failed"))])
    assert [group.title for group in search_view.groups(hits, "zzz", 9, ENGLISH)] == ["Variables", "Runs", "Pools"]
