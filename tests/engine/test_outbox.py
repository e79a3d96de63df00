"""The outbox: what was due is sent until it has run.

The database tells nobody that it was written, so the tests look again and again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from asyncflow.core.commands import SaveCallBack
from asyncflow.core.messages import CallbackDone, RunCallback, RunContext
from asyncflow.engine import outbox as module
from asyncflow.engine.files import LoadedFile
from asyncflow.engine.outbox import Outbox
from asyncflow.store.database import Store
from tests.engine.fakes import FakeClock, RecordingExecutor

pytestmark = pytest.mark.anyio

FILE = LoadedFile("a.py", "hash", False, frozenset({"dag"}))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DELAYS", (0.0, 0.0))
    monkeypatch.setattr(module, "SILENCE", 5.0)


class Sending(RecordingExecutor):
    """Answers each callback in the way that comes next; None: never."""

    def __init__(self, answers: list[Any]) -> None:
        super().__init__()
        self.answers = answers
        self.outbox: Outbox
        self.idle = anyio.Event()

    def run_callback(self, file: str, content_hash: str, bare: bool, message: RunCallback) -> None:
        super().run_callback(file, content_hash, bare, message)
        answer = self.answers.pop(0)
        if answer is not None:
            self.outbox.done(CallbackDone(callback_id=message.callback_id, **answer))


@asynccontextmanager
async def sending(tmp_path: Path, *answers: Any, owner: LoadedFile | None = FILE) -> AsyncIterator[Any]:
    executor = Sending(list(answers))
    async with await Store.open(tmp_path / "db") as store, anyio.create_task_group() as tasks:
        message = RunCallback(callback_id="c1", kind="dag_failure", dag_id="dag", run=RunContext(run_id="r"))
        await store.commit([SaveCallBack(callback_id="c1", payload=msgspec.to_builtins(message))])
        await store.commit([SaveCallBack(callback_id="bad", payload={"from": "another version"})])
        owners = {"dag": owner}
        outbox = Outbox(
            store=store,
            executor=executor,
            owner=lambda dag_id: owners[dag_id],
            launcher=None,  # type: ignore[arg-type]  # only fresh callbacks need it
            clock=FakeClock(),
            logs=tmp_path,
        )
        executor.outbox = outbox
        tasks.start_soon(outbox.run)
        yield outbox, executor, store, owners
        tasks.cancel_scope.cancel()


async def until_done(store: Store) -> list[str]:
    with anyio.fail_after(5):
        while any(row.callback_id == "c1" for row in await store.list_pending_callbacks()):  # noqa: ASYNC110
            await anyio.sleep(0.005)
        while not (lines := await store.journal()):  # noqa: ASYNC110
            await anyio.sleep(0.005)
    return [line.event for line in lines]


async def test_what_an_earlier_server_left_is_sent_with_its_id(tmp_path: Path) -> None:
    async with sending(tmp_path, {}) as (_, executor, store, _owners):
        assert await until_done(store) == ["callback.done"]
        assert [message.callback_id for message in executor.callbacks] == ["c1"]


async def test_it_is_sent_again_until_it_has_run(tmp_path: Path) -> None:
    broken = {"error": "killed", "ran": False}
    async with sending(tmp_path, broken, broken, {}) as (_, executor, store, _owners):
        await until_done(store)
        assert [message.callback_id for message in executor.callbacks] == ["c1"] * 3


async def test_one_that_raises_has_run(tmp_path: Path) -> None:
    async with sending(tmp_path, {"error": "ValueError: no"}) as (_, executor, store, _owners):
        assert await until_done(store) == ["callback.failed"]
        assert len(executor.callbacks) == 1


async def test_silence_counts_as_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.01)
    async with sending(tmp_path, None, {}) as (_, executor, store, _owners):
        await until_done(store)
        assert len(executor.callbacks) == 2


async def test_after_many_attempts_it_waits_for_the_file(tmp_path: Path) -> None:
    broken = {"error": "ImportError", "ran": False}
    async with sending(tmp_path, broken, broken, broken, {}) as (outbox, executor, store, _owners):
        with anyio.fail_after(5):
            while len(executor.callbacks) < 3:  # noqa: ASYNC110
                await anyio.sleep(0.005)
        outbox.file_loaded(FILE)
        await until_done(store)


async def test_it_waits_for_a_file_that_is_not_there_yet(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with sending(tmp_path, {}, owner=None) as (outbox, executor, store, owners):
        await anyio.wait_all_tasks_blocked()
        outbox.folder_looked_at()
        await anyio.wait_all_tasks_blocked()
        assert "no file defines the DAG" in caplog.text
        assert executor.callbacks == []
        owners["dag"] = FILE
        outbox.file_loaded(FILE)
        await until_done(store)
