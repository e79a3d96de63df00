"""The pages of a server with DAGs that work, fail or break: nothing to stumble over, nothing that sticks out."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.server import ServeProcess
from tests.browser.scan import scan, violations
from tests.browser.windows import window

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


ADDRESSES = (
    *("/", "/?status=failed", "/runs", "/search?q=e", "/nowhere", "/answers", "/keys"),
    "/list/selected?do=pause&dag_id=etl",
    *(
        "/admin",
        *(f"/admin/{name}" for name in ("health", "config", "plugins", "log", "about")),
        "/sla-misses",
        "/filters",
    ),
    *("/pools", "/pools/default_pool", "/pools/{evil}", "/add/pool", "/edit/pool?name={evil}"),
    *("/connections", "/connections?q=none", "/add/connection?conn_type=aws", "/connections/" + "c" * 200),
    *("/connections/db", "/variables", "/variables/{evil}", "/variables/settings", "/add/variable"),
    *(
        "/import/variables",
        "/export/variables?all=1",
        "/delete/pools?name={evil}",
        "/delete/connections?name=db",
        "/delete/variables",
    ),
    *("/tasks", "/tasks?state=failed&pool=default_pool", "/tasks?dag=nothing", "/audit", "/audit?dag_id=etl"),
    *("/tasks/change?do=clear&all=1&state=failed", "/runs/change?do=delete&all=1", "/tasks/change?do=cancel"),
    "/undone?name={undone}&back=/runs",
)
#: of a DAG with common names, and of one with long and hostile ones
_RUN = "/dags/{dag}/runs/{run}"
_TASK = _RUN + "/tasks/{task}"
OF_DAG = (
    *("/dags/{dag}" + f"/{name}" for name in ("trigger", "unpause", "delete", "grid", "details")),
    *(_RUN + tail for tail in ("", "/journal", "/log", "/log?level=error", "/note", "/clear?ti=-1:{task}")),
    *(_RUN + "/mark?state=failed", _TASK, _TASK + "/log", _TASK + "/log?q=nothing", _TASK + "/log?level=error"),
    _TASK + "/events",
)
EVIL = "</textarea><script>alert(1)</script>/?&#" + "z" * 150


@pytest.fixture(scope="package")
def addresses(server: ServeProcess) -> list[str]:
    """The lists, with the names of what there is."""
    fill_credentials(server)
    found = [it.replace("{evil}", quote(EVIL, safe="")) for it in ADDRESSES]
    for dag_id, task_id in (("etl", "load"), ("x" * 200, "y" * 200)):
        run = server.run_to_end(dag_id)["run_id"]
        found += [it.format(dag=dag_id, run=quote(run, safe=""), task=task_id) for it in OF_DAG]
        undone = undo_too_late(server, dag_id, run)
    return [it.replace("{undone}", undone) for it in found]


def undo_too_late(server: ServeProcess, dag_id: str, run_id: str) -> str:
    """Clear a run, and undo it when everything has run again; the name of that."""
    name = server.call("remember", keys=[[dag_id, run_id]])
    server.call("clear_run", dag_id=dag_id, run_id=run_id)
    server.wait_for_run(dag_id, run_id)
    assert server.call("undo", name=name)["left"]
    return str(name)


def fill_credentials(server: ServeProcess) -> None:
    """Pools, Connections and Variables, some with long and hostile names and values."""
    server.call("set_pool", name=EVIL, slots=0, description="<b>bold</b> " * 50)
    server.call("set_connection", conn_id="c" * 200, fields={"conn_type": EVIL, "host": "h" * 300, "login": EVIL})
    server.call("set_connection", conn_id="db", fields={"conn_type": "http", "password": "p", "extra": {"token": "t"}})
    server.call("set_variable", key=EVIL, value=EVIL * 20, description="d" * 300)
    server.call("set_variable", key="settings", value='{"token": "t", "list": [1, 2, 3]}')


def test_no_page_breaks(chromium: Browser, server: ServeProcess, addresses: list[str], axe: str) -> None:
    wrong = scan(chromium, server.address, addresses, axe)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_opens_over_a_page_and_the_colours_of_airflow_2(
    chromium: Browser, server: ServeProcess, addresses: list[str], axe: str, theme: str
) -> None:
    narrow = {"width": 360, "height": 800}
    with window(chromium, server.address, viewport=narrow, color_scheme=theme, bypass_csp=True) as opened:
        opened.add_cookies([{"name": "asyncflow_colours", "value": "airflow2", "url": server.address}])
        assert _opened_over(opened.new_page(), axe) == []


def _opened_over(page: Page, axe: str) -> list[str]:
    """What axe finds with the menu open, with the sheet of keys, and in the grid."""
    page.goto("/")
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.state-failed')).backgroundColor") == "rgb(255, 0, 0)"
    )
    found = violations(page, axe)
    page.locator(".menu summary").click()
    found += violations(page, axe)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.locator(".menu summary").click()
    page.keyboard.press("?")
    page.locator("#keys").wait_for()
    found += violations(page, axe)
    page.goto("/dags/etl/grid")
    return found + violations(page, axe)
