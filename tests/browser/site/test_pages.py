"""Every page, in both themes and three widths: nothing to stumble over, nothing that sticks out."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.server import ServeProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="package")
def addresses(server: ServeProcess) -> list[str]:
    """A page of each kind, of a DAG with common names and of one with long and hostile ones."""
    found = ["/", "/?status=failed", "/runs", "/search?q=e", "/nowhere", "/answers", "/keys"]
    found += ["/list/selected?do=pause&dag_id=etl"]
    found += ["/admin", *(f"/admin/{name}" for name in ("health", "config", "plugins", "log", "about")), "/sla-misses"]
    found += credential_pages(server)
    found += ["/tasks", "/tasks?state=failed&pool=default_pool", "/tasks?dag=nothing", "/audit", "/audit?dag_id=etl"]
    found += ["/tasks/change?do=clear&all=1&state=failed", "/runs/change?do=delete&all=1", "/tasks/change?do=cancel"]
    for dag_id, task_id in (("etl", "load"), ("x" * 200, "y" * 200)):
        run_id = quote(server.run_to_end(dag_id)["run_id"], safe="")
        run = f"/dags/{dag_id}/runs/{run_id}"
        found += [f"/dags/{dag_id}/{name}" for name in ("trigger", "unpause", "delete")]
        found += [run, f"{run}/journal", f"{run}/log", f"{run}/note", f"{run}/clear?ti=-1:{task_id}"]
        found += [f"{run}/mark?state=failed", f"{run}/tasks/{task_id}", f"{run}/tasks/{task_id}/log"]
        found += [f"{run}/tasks/{task_id}/events", f"{run}/tasks/{task_id}/log?q=nothing", f"{run}/log?level=error"]
        found += [f"{run}/tasks/{task_id}/log?level=error"]
    return found


def credential_pages(server: ServeProcess) -> list[str]:
    """Pools, Connections and Variables, some with long and hostile names and values."""
    evil = "</textarea><script>alert(1)</script>/?&#" + "z" * 150
    server.call("set_pool", name=evil, slots=0, description="<b>bold</b> " * 50)
    server.call("set_connection", conn_id="c" * 200, fields={"conn_type": evil, "host": "h" * 300, "login": evil})
    server.call("set_connection", conn_id="db", fields={"conn_type": "http", "password": "p", "extra": {"token": "t"}})
    server.call("set_variable", key=evil, value=evil * 20, description="d" * 300)
    server.call("set_variable", key="settings", value='{"token": "t", "list": [1, 2, 3]}')
    name = quote(evil, safe="")
    found = ["/pools", "/pools/default_pool", f"/pools/{name}", "/add/pool", f"/edit/pool?name={name}"]
    found += ["/connections", "/connections?q=none", "/add/connection?conn_type=aws", f"/connections/{'c' * 200}"]
    found += ["/connections/db", "/variables", f"/variables/{name}", "/variables/settings", "/add/variable"]
    found += ["/import/variables", f"/delete/pools?name={name}", "/delete/connections?name=db", "/delete/variables"]
    return found


def violations(page: Page, axe: str) -> list[str]:
    """What axe-core finds on the page as it is now."""
    page.evaluate(axe)
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [f"{it['id']}: {'; '.join(node['html'][:160] for node in it['nodes'][:2])}" for it in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1024, 1600])
def test_no_page_breaks(
    chromium: Browser, server: ServeProcess, addresses: list[str], axe: str, theme: str, width: int
) -> None:
    context = chromium.new_context(
        base_url=server.address,
        viewport={"width": width, "height": 900},
        color_scheme=theme,  # type: ignore[arg-type]
        bypass_csp=True,  # axe is put in by the test
    )
    wrong = []
    page = context.new_page()
    for address in addresses:
        page.goto(address)
        wide = page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            wrong.append(f"{address[:60]}: {wide} px wide")
        wrong += [f"{address[:60]}: {text}" for text in violations(page, axe)]
    context.close()
    assert not wrong, "\n".join(dict.fromkeys(wrong))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_opens_over_a_page_and_the_colours_of_airflow_2(
    chromium: Browser, server: ServeProcess, addresses: list[str], axe: str, theme: str
) -> None:
    context = chromium.new_context(
        base_url=server.address,
        viewport={"width": 360, "height": 800},
        color_scheme=theme,  # type: ignore[arg-type]
        bypass_csp=True,
    )
    context.add_cookies([{"name": "asyncflow_colours", "value": "airflow2", "url": server.address}])
    page = context.new_page()
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
    found += violations(page, axe)
    context.close()
    assert found == []
