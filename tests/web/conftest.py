"""A browser's view of the pages of a server that runs in this process, without processes of its own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from asyncflow.core.commands import Journal, SaveRun, SaveTask
from asyncflow.core.messages import ImportFailure, Parsed
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.core.states import TaskState
from asyncflow.core.timetable import CronIntervalTimetable
from asyncflow.engine.assembly import Server
from asyncflow.web.app import make_app
from tests.web.dag_home import DAY as DAY
from tests.web.dag_home import DAY0, DagHome, dag_home, running
from tests.web.dag_home import a_run as a_run

T = TypeVar("T")
RUN = "scheduled__2026-01-01T00:00:00+00:00"
RUN_PATH = "/dags/etl/runs/scheduled__2026-01-01T00%3A00%3A00%2B00%3A00"


def a_dag(dag_id: str = "etl", **changed: Any) -> DagSpec:
    """extract >> load, daily."""
    given: dict[str, Any] = {
        "timetable": CronIntervalTimetable(expression="0 0 * * *"),
        "schedule_text": "0 0 * * *",
        "file": f"{dag_id}.py",
        "owner": "data",
        "tags": ("nightly",),
        "start_date": DAY0,
        "tasks": {
            "extract": TaskSpec(task_id="extract", operator="BashOperator", downstream=("load",)),
            "load": TaskSpec(task_id="load", operator="BashOperator", upstream=("extract",), retries=1),
        },
        **changed,
    }
    return DagSpec(dag_id=dag_id, **given)


def a_ti(run: DagRun, task_id: str, **changed: Any) -> TaskInstance:
    """A task instance that ran for two seconds in its first try."""
    start = run.run_after
    given: dict[str, Any] = {
        "state": TaskState.SUCCESS,
        "try_number": 1,
        "started_at": start,
        "ended_at": start + timedelta(seconds=2),
        "operator": "BashOperator",
        **changed,
    }
    return TaskInstance(dag_id=run.dag_id, run_id=run.run_id, task_id=task_id, **given)


class Site:
    """The pages and what is behind them; keeps cookies, follows no redirect by itself."""

    def __init__(self, portal: BlockingPortal, server: Server) -> None:
        self._portal = portal
        self.server = server
        self.app = make_app(server.actions)
        self.cookies = httpx.Cookies()
        self.base_url = "http://localhost:8080"

    def ask(self, function: Callable[..., Awaitable[T]], *args: Any, **kw: Any) -> T:
        """Await something of the server."""

        async def asked() -> T:
            with anyio.fail_after(10):
                return await function(*args, **kw)

        return self._portal.call(asked)

    # ---- what there is ----------------------------------------------------------------------------------------------

    def add(self, spec: DagSpec, *, paused: bool = False, version: str = "v1") -> None:
        """A DAG, as if its file had been loaded."""
        parsed = Parsed(host_id="h", file=spec.file, source="# dag")
        self.ask(
            self.server.store.save_dags,
            spec.file,
            [(spec, version)],
            parsed=parsed,
            now=DAY0,
            paused_at_creation=paused,
        )
        self.ask(self.server.scheduler.do, lambda world, now: world.put_dag(spec, version, paused=paused, now=now))

    def store(self, run: DagRun, *tis: TaskInstance) -> None:
        """A run that is over, with its task instances."""
        line = Journal(at=run.run_after, event="run.created", dag_id=run.dag_id, run_id=run.run_id, after="queued")
        self.ask(self.server.store.commit, [SaveRun(run=run), *(SaveTask(ti=ti) for ti in tis), line])
        self.server.changes.noted(run.dag_id)

    def break_file(self, file: str, message: str, line: int | None = None) -> None:
        failure = ImportFailure(
            file=file, kind="SyntaxError", message=message, line=line, traceback="Traceback: <b>here</b>"
        )
        self.ask(self.server.store.save_import_error, file, failure, DAY0)

    def log(self, text: str, task_id: str = "extract", try_number: int = 1, run_id: str = RUN) -> Path:
        """Write the log of a try."""
        from asyncflow.core.models import TaskKey

        path = self.server.actions.pages.log_path(TaskKey("etl", run_id, task_id), try_number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, run_id: str = RUN, dag_id: str = "etl") -> dict[str, Any]:
        """A run as the actions tell it."""
        return self.ask(self.server.actions.get_run, dag_id, run_id)

    def states(self, run_id: str = RUN) -> dict[str, str]:
        """States of task instances by task id."""
        return {row["task_id"]: row["state"] or "none" for row in self.run(run_id)["tasks"]}

    # ---- asking -----------------------------------------------------------------------------------------------------

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._request("GET", path, headers=headers)

    def post(self, path: str, data: dict[str, Any], **headers: str) -> httpx.Response:
        return self._request("POST", path, data=data, headers=headers)

    def stream(self, path: str, parts: AsyncIterator[bytes]) -> httpx.Response:
        """Send a form without end, part by part."""
        return self._request("POST", path, content=parts, headers={"Content-Type": "application/x-www-form-urlencoded"})

    def text(self, path: str) -> str:
        """The text of a page that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def send(self, path: str, data: dict[str, Any] | None = None, page: str = "/") -> httpx.Response:
        """Send a form, with the token of a page."""
        return self.post(path, {"form_token": token_in(self.get(page)), **(data or {})})

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=self.base_url, cookies=self.cookies) as client:
                answer = await client.request(method, path, **more)
                self.cookies = client.cookies
                return answer

        return self.ask(asked)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def home(tmp_path: Path, anyio_backend: str) -> AsyncIterator[DagHome]:
    """For tests that await: the DAG `etl` of `dag_home`, without runs."""
    async with dag_home(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[Server]:
    async with running(folder) as (server, _):
        yield server


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Site]:
    """A server that knows no DAG."""
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(_alone(tmp_path)) as server:
        yield Site(portal, server)


@pytest.fixture
def site(empty: Site) -> Site:
    """The DAG `etl` with a good run, and `report`, which is paused."""
    empty.add(a_dag("etl", description="Moves <things>"))
    empty.add(a_dag("report"), paused=True)
    run = a_run()
    empty.store(run, a_ti(run, "extract"), a_ti(run, "load", state=TaskState.FAILED, try_number=2, max_tries=1))
    return empty


def token_in(answer: httpx.Response) -> str:
    """The form token of a page."""
    found = re.search(r'name="form_token" value="([^"]+)"', answer.text)
    assert found is not None, "the page has no form"
    return found.group(1)


def once_in(answer: httpx.Response) -> str:
    """The key of a form that acts once."""
    found = re.search(r'name="once" value="([^"]+)"', answer.text)
    assert found is not None, "the page has no such form"
    return found.group(1)
