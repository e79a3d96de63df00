"""Favourite DAGs, and filters of lists that are kept under names."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import httpx
import pytest

from asyncflow.web import kept_filters
from tests.web.conftest import Site, token_in


def listed(site: Site, query: str = "") -> list[str]:
    return re.findall(r'<tr id="dag-([^"]+)"', site.text(f"/{query}"))


def keep(site: Site, name: str, query: str, path: str = "/runs") -> httpx.Response:
    return site.send("/filters/keep", {"list": path, "name": name, "query": query})


def test_a_star_makes_a_dag_a_favourite_and_takes_it_back(site: Site) -> None:
    assert "Favourites" not in site.text("/").split("</nav>")[2]
    form = {"on": "1", "from": "list", "form_token": token_in(site.get("/"))}
    answer = site.post("/dags/report/star", form, referer=f"{site.base_url}/?status=paused")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?status=paused#dag-report")
    assert listed(site, "?status=favourite") == ["report"]
    text = site.text("/")
    assert 'name="on" value="0" aria-pressed="true" aria-label="report is a favourite"' in text
    assert re.search(r'href="\?status=favourite">Favourites <span class="number">1<', text)
    site.send("/dags/report/star", {"on": "0"})
    assert listed(site, "?status=favourite") == []
    assert listed(site) == ["etl", "report"]


def test_what_was_kept_is_in_the_audit_log(site: Site) -> None:
    site.send("/dags/etl/star", {"on": "1"})
    keep(site, "mine", "state=failed")
    text = site.text("/audit")
    assert "mark_favourite" in text
    assert "save_filter" in text


def test_a_star_needs_a_dag_and_a_token(site: Site) -> None:
    assert site.send("/dags/nothing/star", {"on": "1"}).status_code == 404
    assert site.post("/dags/etl/star", {"on": "1"}).status_code == 403


def test_filters_are_kept_under_a_name(site: Site) -> None:
    text = site.text("/runs?state=failed&sort=-duration&page=2&done=cleared&n=2")
    assert 'name="query" value="sort=-duration&amp;state=failed"' in text
    answer = keep(site, " slow ", "state=failed&sort=-duration&page=2")
    assert answer.headers["location"] == "/runs?sort=-duration&state=failed"
    kept = site.text(answer.headers["location"])
    assert '<a href="/runs?sort=-duration&amp;state=failed" aria-current="true">slow</a>' in kept
    assert "Keep these filters" not in kept
    assert '<a href="/runs?sort=-duration&amp;state=failed">slow</a>' in site.text("/runs")
    assert "slow" not in site.text("/tasks")


@pytest.mark.parametrize("path", ["/", "/runs", "/tasks", "/audit", "/datasets"])
def test_each_list_offers_it_where_something_is_chosen(site: Site, path: str) -> None:
    assert "Keep these filters" not in site.text(path)
    text = site.text(f"{path}?{'dag_id' if path != '/' else 'q'}=etl")
    assert "Keep these filters" in text
    assert f'name="list" value="{path}"' in text


def test_a_name_that_is_there_is_replaced_and_can_be_forgotten(site: Site) -> None:
    keep(site, "mine", "state=failed")
    keep(site, "mine", "state=success")
    assert site.text("/filters").count("/runs?state=") == 2  # the link and the address of the row
    site.send("/filters/drop", {"list": "/runs", "name": "mine"})
    assert "mine" not in site.text("/runs")
    assert site.send("/filters/drop", {"list": "/runs", "name": "mine"}).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 61},
        {"name": "a\nb"},
        {"list": "//evil.example"},
        {"list": "/admin"},
        {"query": ""},
        {"query": "q=" + "x" * 3000},
    ],
)
def test_what_cannot_be_kept_gets_a_sentence(site: Site, wrong: dict[str, Any]) -> None:
    fields = {"name": "mine", "list": "/runs", "query": "state=failed", **wrong}
    assert site.send("/filters/keep", fields).status_code == 400
    assert "mine" not in site.text("/filters")


def test_a_list_keeps_a_limited_number(site: Site) -> None:
    for number in range(50):
        site.ask(site.server.actions.save_filter, "/runs", f"f{number}", "state=failed")
    assert "50 filters at most" in unescape(keep(site, "one more", "state=failed").text)
    assert keep(site, "f7", "state=success").status_code == 303


def test_hostile_names_are_text(site: Site) -> None:
    keep(site, '"><script>', "run=%22%3E%3Cscript%3E")
    for page in ("/runs", "/filters"):
        assert "<script>" not in site.text(page).replace("<script src", "")


def test_what_is_kept_goes_to_a_file_and_comes_back(site: Site) -> None:
    site.send("/dags/etl/star", {"on": "1"})
    keep(site, "mine", "state=failed")
    file = site.get("/filters/export")
    assert "attachment" in file.headers["content-disposition"]
    site.send("/dags/etl/star", {"on": "0"})
    site.send("/filters/drop", {"list": "/runs", "name": "mine"})
    token = token_in(site.get("/filters"))
    upload = {"data": {"form_token": token}, "files": {"file": ("f.json", file.content, "application/json")}}
    answer = site._request("POST", "/filters/import", **upload)
    assert answer.headers["location"] == "/filters?n=2"
    assert json.loads(site.get("/filters/export").content) == json.loads(file.content)
    assert "2 entries were taken over." in site.text("/filters?n=2")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "no", '{"filters": 1}', '{"filters": [{"list": "/x", "name": "n", "query": "a=b"}]}', '{"odd": 1}'],
)
def test_a_file_that_is_none_of_ours_gets_a_sentence(site: Site, text: str) -> None:
    token = token_in(site.get("/filters"))
    upload = {"data": {"form_token": token}, "files": {"file": ("f.json", text.encode(), "application/json")}}
    assert site._request("POST", "/filters/import", **upload).status_code == 400


def test_equal_filters_are_equal_whatever_their_order() -> None:
    assert kept_filters.state("b=2&a=1&page=4&have=x") == kept_filters.state("a=1&b=2") == "a=1&b=2"
