"""What is kept only for so long."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from asyncflow.engine import retention
from asyncflow.engine.changes import Changes
from asyncflow.engine.retention import Retention
from asyncflow.store.browse import AuditLine, AuditSearch
from asyncflow.store.database import Store

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 6, 1, tzinfo=UTC)


class Clock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "a.db", durability="normal")
    lines = [
        AuditLine(id=0, at=NOW - timedelta(days=days), via="ui", who="", action=f"d{days}", arguments={}, error="")
        for days in range(40, -1, -1)
    ]
    await opened.add_audit(lines)
    yield opened
    await opened.close()


def keeping(store: Store, days: int) -> tuple[Retention, Changes]:
    changes = Changes()
    return Retention(store=store, clock=Clock(), changes=changes, audit_days=days), changes


async def actions(store: Store) -> list[str]:
    return [line.action for line in await store.audit_lines(AuditSearch(), limit=100)]


async def test_old_lines_of_the_audit_log_go_in_batches(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "BATCH", 4)
    monkeypatch.setattr(retention, "PAUSE", 0)
    caplog.set_level(logging.INFO)
    kept, changes = keeping(store, 30)
    mark = changes.mark
    assert await kept.trim_audit() == 10
    assert await actions(store) == [f"d{days}" for days in range(31)]
    assert caplog.messages == ["10 lines of the audit log from before 2026-05-02T00:00+00:00 are deleted"]
    assert changes.mark != mark
    assert await kept.trim_audit() == 0
    assert len(caplog.messages) == 1


async def test_without_the_setting_everything_is_kept(store: Store) -> None:
    with anyio.fail_after(5):
        await keeping(store, 0)[0].run()
    assert len(await actions(store)) == 41


async def test_trouble_is_told_and_it_is_tried_again(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kept, _ = keeping(store, 30)
    monkeypatch.setattr(retention, "PERIOD", 0.001)
    monkeypatch.setattr(retention, "PAUSE", 0)
    monkeypatch.setattr(retention, "BATCH", "many")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(kept.run)
        with anyio.fail_after(5):
            while not caplog.messages:  # noqa: ASYNC110 - nothing tells of it
                await anyio.sleep(0.01)
            monkeypatch.setattr(retention, "BATCH", 500)
            while len(await actions(store)) > 31:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert caplog.messages[0] == "Old lines of the audit log cannot be deleted"
