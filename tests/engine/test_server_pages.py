"""What the server tells of itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from asyncflow.config import Origin, Settings
from asyncflow.dagfiles.loader import Progress
from asyncflow.engine.assembly import Server, assemble
from asyncflow.engine.dag_folder import look_at
from asyncflow.engine.monitor import BARS, PER_BAR, PER_CALL, Jump, Monitor, quantiles

LOOKED = Progress(files=0, loading=(), queued=0, failed=0, unloaded=frozenset(), has_looked=True)


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Server]:
    settings = Settings(home=home, dags=home / "dags", smtp_password="hush")
    async with anyio.create_task_group() as tasks, assemble(settings, tasks, scheduling=False) as server:
        tasks.start_soon(server.scheduler.run)
        await server.restore()
        yield server
        tasks.cancel_scope.cancel()


def test_vitals_of_a_quiet_server(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            found = await server.actions.server.vitals()
            assert found.alarms.trouble is None
            assert found.census.groups == []
            assert (found.database > 0, found.alarms.disk_total > found.alarms.disk_free > 0) == (True, True)
            assert [process.kind for process in found.processes] == ["server"]
            assert found.processes[0].rss > 1_000_000
            assert found.writes.most > 0
            assert not found.folder_exists
            assert found.last_load is None

    anyio.run(main)


def test_settings_say_where_they_came_from_and_hide_secrets(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            server.actions.server.origins = {"port": Origin("environment", "ASYNCFLOW_PORT")}
            found = {setting.name: setting for setting in server.actions.server.settings()}
            assert found["smtp_password"].value == "***"
            assert found["port"].origin == ("environment", "ASYNCFLOW_PORT")
            assert found["host"].origin.kind == "default"

    anyio.run(main)


def test_stored_secrets_are_hidden_in_the_servers_log(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            await server.store.variable_set("api_key", "s3cr3t!", None)
            line = "[2026-01-01T00:00:00.000+0000] {a:1} ERROR - said s3cr3t!\n"
            (tmp_path / "server.log").write_text(line)
            found = await server.actions.server.read_log()
            assert [record.text for record in found.records] == ["said ***"]

    anyio.run(main)


@pytest.mark.slow
def test_plugins_are_asked_again_only_when_something_has_changed(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            pages = server.actions.server
            first = await pages.inventory()
            assert await pages.inventory() is first
            (tmp_path / "plugins").mkdir()
            (tmp_path / "plugins" / "broken.py").write_text("raise ValueError('no')")
            assert "ValueError: no" in (await pages.inventory()).errors[-1]

    anyio.run(main)


def test_versions_and_places(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            found = server.actions.server.about()
            assert {"asyncflow", "Python", "SQLite"} <= found["versions"].keys()
            assert found["places"]["Home directory"] == str(tmp_path)
            assert {"anyio", "starlette"} <= found["packages"].keys()

    anyio.run(main)


# ---- the loop's lag -------------------------------------------------------------------------------------------------


def test_quantiles() -> None:
    assert quantiles([]) == (0, 0, 0)
    assert quantiles([3, 1, 2]) == (2, 2, 3)
    assert quantiles(range(1, 101)) == (50, 99, 100)


def test_the_history_is_bounded_and_watchers_are_called(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            monitor, called = Monitor(server.scheduler), []
            monitor.watch(lambda: called.append(True))
            for number in range(PER_BAR * (BARS + 2)):
                monitor._note(0.001 * (number % PER_BAR), server.clock.now())
            assert len(monitor.history) == BARS
            assert monitor.history[-1].lag.most == pytest.approx(0.099)
            assert monitor.worst_lag == pytest.approx(0.099)
            assert len(called) == PER_BAR * (BARS + 2) // PER_CALL

    anyio.run(main)


def test_a_jump_of_the_clock_is_told_for_a_while(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with running(tmp_path) as server:
            monitor, now = server.monitor, server.clock.now()
            for steady, wall in ((0, 0), (0.05, 0.05), (0.1, 4.9), (0.15, 4.95)):
                monitor._compare(now + timedelta(seconds=wall), steady)
            assert monitor.jump is None
            monitor._compare(now - timedelta(hours=1), 0.2)
            assert monitor.jump is not None
            assert round(monitor.jump.seconds) == -3605
            assert server.actions.server.alarms().jump is None  # an hour ago, says the clock of this test
            monitor.jump = Jump(now, 60)
            assert server.actions.server.alarms().jump == (now, 60)

    anyio.run(main)
    assert "jumped by -3605 s" in caplog.text


# ---- the folder -----------------------------------------------------------------------------------------------------


def test_why_a_folder_has_no_dag(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dags=tmp_path / "dags")
    folder = settings.dags
    assert look_at(folder, [], LOOKED, settings) == (folder, "missing", (), 0)
    folder.mkdir()
    assert look_at(folder, [], LOOKED, settings).state == "empty"
    (folder / "none.py").write_text("from airflow import DAG")
    (folder / "plain.py").write_text("print()")
    (folder / "left_out.py").write_text("from airflow import DAG")
    (folder / "notes.txt").write_text("")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "none.pyc").write_text("")
    found = look_at(folder, ["none.py"], LOOKED, settings)
    assert found.state == "no_dag"
    assert [(file.file, file.why) for file in found.files] == [
        ("none.py", "no_dag"),
        ("plain.py", "words"),
        ("left_out.py", "ignored"),
        ("notes.txt", "other"),
    ]


def test_a_folder_that_is_still_being_loaded_or_holds_much(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dags=tmp_path)
    loading = Progress(1, ("slow.py",), 0, 0, frozenset({"slow.py"}), False)
    (tmp_path / "slow.py").write_text("from airflow import DAG")
    assert look_at(tmp_path, ["slow.py"], loading, settings).files[0].why == "loading"
    assert look_at(tmp_path, ["slow.py"], loading, settings).state == "loading"
    for number in range(60):
        (tmp_path / f"f{number:02d}.txt").write_text("")
    found = look_at(tmp_path, ["slow.py"], LOOKED, settings)
    assert (len(found.files), found.more) == (50, 11)
