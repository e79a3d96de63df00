"""What the pages about the set-up show."""

from __future__ import annotations

from dataclasses import fields

import pytest

from asyncflow.config import Origin, Settings
from asyncflow.core.inventory import PluginFacts
from asyncflow.engine.server_pages import Setting
from asyncflow.web import admin_view as view
from asyncflow.web import first_run, health_view
from asyncflow.web.app import ROUTES
from asyncflow.web.i18n import Language, words

EN = Language("en")
SETTINGS = [
    Setting("port", 9000, Origin("environment", "ASYNCFLOW_PORT"), "", 8080, "Port of the server."),
    Setting("poll_files", False, Origin("default"), "", False, "Poll the folder."),
    Setting("dags", "/x", Origin("command line"), "core.dags_folder", "dags", "Folder of files."),
    Setting("smtp_user", "", Origin("default"), "smtp.smtp_user", "", "Name."),
]


def names(text: str = "", *, only: bool = False) -> list[str]:
    return [line.name for line in view.setting_lines(SETTINGS, text, only, EN)]


def test_settings_are_found_by_name_airflows_name_value_and_meaning() -> None:
    assert names() == ["port", "poll_files", "dags", "smtp_user"]
    assert names("FOLDER") == ["poll_files", "dags"]
    assert names("[core]") == ["dags"]
    assert names("9000") == ["port"]
    assert names(only=True) == ["port", "dags"]
    assert names("nothing") == []


def test_values_read_as_they_are_written() -> None:
    lines = view.setting_lines(SETTINGS, "", False, EN)
    assert [line.value for line in lines] == ["9000", "false", "/x", "empty"]
    assert (lines[0].origin, lines[0].where, lines[0].is_set) == ("environment", "ASYNCFLOW_PORT", True)
    assert [line.airflow for line in lines] == ["", "", "[core] dags_folder", "[smtp] smtp_user"]


def test_what_a_plugin_brings_says_what_becomes_of_it() -> None:
    plugin = PluginFacts(
        name="p", source="p.py", provides={"macros": ("a", "b"), "hooks": ("H",), "menu_links": ("Elsewhere",)}
    )
    assert view.provided(plugin, EN) == [
        ("macros", "a, b", "Macros in templates"),
        ("hooks", "H", "import it from the plugin's module"),
        ("menu_links", "Elsewhere", "has no use here"),
    ]


def test_each_page_that_is_listed_is_there() -> None:
    known = {getattr(route, "path", "") for route in ROUTES}
    assert [place.href for place in view.PLACES if place.href not in known] == []


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_400, "99.4 kB"),
        (123_456, "123 kB"),
        (999_600, "1.0 MB"),
        (5e14, "500 TB"),
    ],
)
def test_sizes(size: float, text: str) -> None:
    assert view.size_text(size) == text


@pytest.mark.parametrize("code", ["ko"])
def test_texts_from_tables_are_translated(code: str) -> None:
    texts = {*view.ORIGINS.values(), *view.USED.values(), *health_view.REASONS.values(), *health_view.MODES.values()}
    texts |= {text for place in view.PLACES for text in (place.label, place.words)}
    texts |= {text for state in first_run.STATES.values() for text in state} | set(first_run.REASONS.values())
    texts |= {item.metadata["doc"] for item in fields(Settings)}
    texts |= {"Home directory", "DAG folder", "Plugins folder", "Logs of tasks", "Server log", "Python interpreter"}
    assert sorted(texts - words(code).keys()) == []
