"""A real HostPool on a small home directory, for tests: files in, messages out."""

from __future__ import annotations

import secrets
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import anyio

from asyncflow.config import Settings
from asyncflow.core.messages import Hello, Parsed, Request, RunContext, TryFinished, TryInfo, TryStarted
from asyncflow.errors import NotFound
from asyncflow.executors.hosts import HostPool

MessageT = TypeVar("MessageT")

#: in front of every file below: a DAG with one Python task "work" that calls `work`
HEAD = """
from airflow import DAG
from airflow.operators.python import PythonOperator
"""


def settings_for(folder: Path, **more: Any) -> Settings:
    home, dags = folder / "home", folder / "dags"
    for path in (home, dags, home / "logs", home / "spool"):
        path.mkdir(parents=True, exist_ok=True)
    return Settings(home=home, dags=dags, **{"dagbag_import_timeout": 5.0, "killed_task_cleanup_time": 0.5, **more})


async def until(condition: Callable[[], bool], *, within: float = 10) -> None:
    """Wait for something another process brings about, which nothing announces."""
    with anyio.fail_after(within):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def content_of(path: Path) -> str:
    """The text of a file that a task is about to make (by renaming)."""
    await until(path.exists)
    return await anyio.Path(path).read_text()


class PoolHarness:
    """A running pool, what it said, and short forms of what tests do with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.messages: list[Any] = []
        self.requests: list[tuple[Hello, Request]] = []
        self.variables: dict[str, str] = {}
        self.pool = HostPool(settings, on_message=self._on_message, on_request=self._on_request)
        self._news = anyio.Event()

    def _on_message(self, message: Any) -> None:
        self.messages.append(message)
        self._news.set()

    async def _on_request(self, hello: Hello, request: Request) -> Any:
        self.requests.append((hello, request))
        match request.method:
            case "variable_get":
                return self.variables.get(request.params["name"])
            case "xcom_set" | "variable_set":
                return None
            case "xcom_rows" | "dag_runs":
                return []
            case "previous_run":
                return None
        raise NotFound("request", request.method)

    def write(self, name: str, source: str) -> Path:
        path = self.settings.dags / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
        return path

    async def parse(self, name: str, source: str | None = None) -> Parsed:
        if source is not None:
            self.write(name, source)
        with anyio.fail_after(30):
            return await self.pool.parse(name)

    async def parse_good(self, name: str, source: str | None = None) -> Parsed:
        parsed = await self.parse(name, source)
        assert parsed.error is None, parsed.error
        return parsed

    def start(self, parsed: Parsed, dag_id: str, task_id: str = "work", **more: Any) -> TryInfo:
        info = self.info(dag_id, task_id, **more)
        self.pool.start_try(parsed.file, parsed.content_hash, bool(parsed.unrepeatable), info)
        return info

    def info(self, dag_id: str, task_id: str = "work", **more: Any) -> TryInfo:
        token = secrets.token_hex(8)
        now = datetime.now(UTC)
        run = RunContext(
            run_id="r1",
            logical_date=datetime(2026, 1, 1, tzinfo=UTC),
            data_interval_start=datetime(2026, 1, 1, tzinfo=UTC),
            data_interval_end=datetime(2026, 1, 2, tzinfo=UTC),
            run_after=now,
            started_at=now,
        )
        path = str(self.settings.logs / dag_id / f"{task_id}-{token}.log")
        return TryInfo(token=token, dag_id=dag_id, task_id=task_id, run=run, log_path=path, **more)

    def log(self, info: TryInfo) -> str:
        return Path(info.log_path).read_text()

    async def finished(self, info: TryInfo, *, ack: bool = True) -> TryFinished:
        message = await self.message(TryFinished, lambda m: m.token == info.token)
        if ack:
            self.pool.ack(info.token)
        return message

    async def started(self, info: TryInfo) -> TryStarted:
        return await self.message(TryStarted, lambda m: m.token == info.token)

    async def run(self, parsed: Parsed, dag_id: str, task_id: str = "work", **more: Any) -> tuple[TryFinished, str]:
        info = self.start(parsed, dag_id, task_id, **more)
        return await self.finished(info), self.log(info)

    async def message(
        self, kind: type[MessageT], matches: Callable[[MessageT], bool] = lambda m: True, *, within: float = 20
    ) -> MessageT:
        """The first message of a kind, past or future."""
        with anyio.fail_after(within):
            while True:
                for message in self.messages:
                    if isinstance(message, kind) and matches(message):
                        return message
                self._news = anyio.Event()
                await self._news.wait()
        raise AssertionError("unreachable")


@asynccontextmanager
async def running_pool(folder: Path, *, stop_tasks: bool = True, **settings: Any) -> AsyncIterator[PoolHarness]:
    harness = PoolHarness(settings_for(folder, **settings))
    async with anyio.create_task_group() as tasks:
        await tasks.start(_run, harness.pool)
        try:
            yield harness
        finally:
            with anyio.CancelScope(shield=True):
                await harness.pool.close(stop_tasks=stop_tasks)
            tasks.cancel_scope.cancel()


async def _run(pool: HostPool, *, task_status: Any) -> None:
    await pool.run(task_status=task_status)
