"""The loader over a real folder and a real watcher; imports are played by a table, except where real ones matter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from asyncflow.core.messages import ImportFailure, Parsed
from asyncflow.dagfiles import loader
from asyncflow.dagfiles.loader import Loader, LoadResult
from asyncflow.ipc.fingerprint import fingerprint
from tests.executors.pools import HEAD, PoolHarness, running_pool, settings_for

pytestmark = pytest.mark.anyio

LOOKS_LIKE_A_DAG = "# airflow dag\n"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Played:
    """A loader whose imports say what `answers` says; counts them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = settings_for(folder, **settings)
        self.dags = self.settings.dags
        self.answers: dict[str, dict[str, Any]] = {}
        self.imports: list[str] = []
        self.results: list[LoadResult] = []
        self.gone: list[str] = []
        self.looked = anyio.Event()
        self.hold: dict[str, anyio.Event] = {}
        self.news = anyio.Event()
        self.loader = Loader(self.settings, parse=self._parse, on_result=self._on_result, on_gone=self._on_gone)

    async def _parse(self, file: str, _content_hash: str) -> Parsed:
        self.imports.append(file)
        self._tell()
        content = (self.dags / file).read_bytes()
        if file in self.hold:
            await self.hold[file].wait()
        answer = {"reads": (), **self.answers.get(file, {})}
        digest = fingerprint(str(self.dags), content, answer["reads"])
        if b"broken" in content:
            answer["error"] = ImportFailure(file=file, message="broken")
        return Parsed(host_id="", file=file, content_hash=digest, source=content.decode(), **answer)

    async def _on_result(self, result: LoadResult) -> None:
        self.results.append(result)
        self._tell()

    async def _on_gone(self, file: str) -> None:
        self.gone.append(file)
        self._tell()

    def _tell(self) -> None:
        self.news.set()
        self.news = anyio.Event()

    def write(self, name: str, text: str = "") -> str:
        path = self.dags / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(LOOKS_LIKE_A_DAG + text if name.endswith(".py") else text)
        return str(path)

    async def until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(5):
            while not condition():
                await self.news.wait()

    async def loaded(self, name: str, times: int) -> None:
        await self.until(lambda: sum(result.file == name for result in self.results) >= times)

    async def settled(self) -> None:
        """What was saved before has been seen: a file made now has been loaded."""
        name = f"marker_{len(self.imports)}.py"
        self.write(name)
        await self.loaded(name, 1)


@asynccontextmanager
async def playing(played: Played) -> AsyncIterator[Played]:
    async def looked() -> None:
        played.looked.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(played.loader.run, looked)
        with anyio.fail_after(5):
            await played.looked.wait()
        yield played
        tasks.cancel_scope.cancel()


async def test_every_file_is_loaded_once_before_the_first_look_is_over(tmp_path: Path) -> None:
    played = Played(tmp_path)
    for n in range(5):
        played.write(f"f{n}.py")
    async with playing(played):
        assert sorted(result.file for result in played.results) == [f"f{n}.py" for n in range(5)]


async def test_an_empty_folder_is_looked_at_too(tmp_path: Path) -> None:
    async with playing(Played(tmp_path)) as played:
        assert played.results == []


async def test_an_edit_loads_its_file_only(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write("a.py")
    played.write("b.py")
    async with playing(played):
        played.write("a.py", "x = 1")
        await played.loaded("a.py", 2)
        await played.settled()
        assert played.imports.count("b.py") == 1


async def test_a_save_that_changes_nothing_loads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncflow.dagfiles.loader.DOUBT", 0.0)
    played = Played(tmp_path)
    played.write("a.py")
    async with playing(played):
        played.write("a.py")
        await played.settled()
        assert played.imports.count("a.py") == 1


async def test_a_change_of_what_an_import_read_loads_exactly_its_readers(tmp_path: Path) -> None:
    played = Played(tmp_path)
    yaml = played.write("conf/a.yaml", "one")
    played.write("a.py")
    played.write("b.py")
    played.answers["a.py"] = {"reads": (yaml,)}
    async with playing(played):
        played.write("conf/a.yaml", "two")
        await played.loaded("a.py", 2)
        await played.settled()
        assert played.imports.count("b.py") == 1


async def test_a_new_file_in_a_folder_that_an_import_listed_loads_it_again(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write("conf/a.yaml")
    played.write("a.py")
    played.answers["a.py"] = {"reads": (str(played.dags / "conf"),)}
    async with playing(played):
        played.write("conf/b.yaml")
        await played.loaded("a.py", 2)


async def test_new_deleted_and_ignored_files_come_and_go(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write("a.py")
    async with playing(played):
        played.write("sub/b.py")
        await played.loaded("sub/b.py", 1)
        (played.dags / "a.py").unlink()
        await played.until(lambda: played.gone == ["a.py"])
        played.write(".airflowignore", "sub")
        await played.until(lambda: played.gone == ["a.py", "sub/b.py"])
        (played.dags / ".airflowignore").unlink()
        await played.loaded("sub/b.py", 2)
        assert played.loader.files == ["sub/b.py"]


async def test_a_file_that_no_longer_looks_like_a_dag_file_is_gone(tmp_path: Path) -> None:
    played = Played(tmp_path)
    path = Path(played.write("a.py"))
    async with playing(played):
        path.write_text("x = 1\n")  # noqa: ASYNC240
        await played.until(lambda: played.gone == ["a.py"])


async def test_a_change_during_an_import_makes_its_result_void(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write("a.py", "x = 1")
    async with playing(played):
        gate = played.hold["a.py"] = anyio.Event()
        played.write("a.py", "x = 2")
        await played.until(lambda: played.imports.count("a.py") == 2)
        played.write("a.py", "x = 3")
        await played.settled()
        gate.set()
        await played.until(lambda: played.imports.count("a.py") >= 3)
        await played.loaded("a.py", 2)
        sources = [result.parsed.source for result in played.results if result.file == "a.py"]
        assert sources == [LOOKS_LIKE_A_DAG + "x = 1", LOOKS_LIKE_A_DAG + "x = 3"]


async def test_a_half_written_file_is_not_shown_as_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "HOLD_BACK", 1.0)  # the other half is written in this time also on a busy machine
    monkeypatch.setattr(loader, "FRESH", 60.0)
    played = Played(tmp_path)
    played.write("a.py", "x = 1")
    async with playing(played):
        played.write("a.py", "broken")
        await played.until(lambda: played.imports.count("a.py") == 2)
        played.write("a.py", "x = 2")
        await played.loaded("a.py", 2)
        assert all(result.parsed.error is None for result in played.results)


async def test_a_variable_loads_the_files_that_asked_for_it(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write("a.py")
    played.write("b.py")
    played.answers["a.py"] = {"variables": ("colour",), "connections": ("db",)}
    async with playing(played):
        played.loader.variable_changed("shape")
        played.loader.variable_changed("colour")
        await played.loaded("a.py", 2)
        played.loader.connection_changed("db")
        await played.loaded("a.py", 3)
        assert played.imports.count("b.py") == 1


async def test_files_that_read_what_cannot_be_watched_are_loaded_again_in_time(tmp_path: Path) -> None:
    played = Played(tmp_path, dag_refresh_interval=0.02)
    played.write("a.py")
    played.write("b.py")
    played.write("c.py", "broken")
    played.answers["a.py"] = {"refresh": True}
    async with playing(played):
        await played.loaded("a.py", 3)
        await played.loaded("c.py", 2)
        assert played.imports.count("b.py") == 1


async def test_a_broken_file_is_tried_again_when_a_file_appears(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.write("a.py", "broken")
    async with playing(played):
        played.write("helper.txt", "what a.py lacked")
        await played.loaded("a.py", 2)


async def test_a_slow_import_does_not_hold_up_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncflow.dagfiles.loader.SLOW", 0.01)
    played = Played(tmp_path, parse_concurrency=1)
    for name in ("a.py", "b.py", "c.py"):
        played.write(name)
    played.hold = {"a.py": anyio.Event(), "b.py": anyio.Event()}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(played.loader.run)
        await played.loaded("c.py", 1)
        assert [result.file for result in played.results] == ["c.py"]
        tasks.cancel_scope.cancel()


async def test_a_folder_that_appears_later_is_loaded(tmp_path: Path) -> None:
    played = Played(tmp_path)
    played.dags.rmdir()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(played.loader.run)
        await anyio.lowlevel.checkpoint()
        played.write("a.py")
        await played.loaded("a.py", 1)
        tasks.cancel_scope.cancel()


# ---- with real imports ---------------------------------------------------------------------------------------------


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[tuple[PoolHarness, list[LoadResult], Callable[..., Any]]]:
    results: list[LoadResult] = []
    news = [anyio.Event()]

    async def on_result(result: LoadResult) -> None:
        results.append(result)
        news[0].set()

    async def on_gone(_file: str) -> None:
        pass

    async def until(condition: Callable[[LoadResult], bool]) -> LoadResult:
        with anyio.fail_after(10):
            while True:
                for result in results:
                    if condition(result):
                        return result
                news[0] = anyio.Event()
                await news[0].wait()
        raise AssertionError("unreachable")

    async with running_pool(folder) as harness:
        loader = Loader(harness.settings, parse=harness.pool.parse, on_result=on_result, on_gone=on_gone)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loader.run)
            yield harness, results, until
            tasks.cancel_scope.cancel()


FACTORY = f"""{HEAD}
import yaml
from pathlib import Path
import helper
for path in sorted((Path(__file__).parent / "conf").glob("*.yaml")):
    for name in yaml.safe_load(path.read_text()):
        with DAG(helper.PREFIX + name, schedule=None) as dag:
            PythonOperator(task_id="work", python_callable=print)
        globals()[name] = dag
"""


def _ids(result: LoadResult) -> list[str]:
    return [spec.dag_id for spec in result.parsed.dags]


@pytest.mark.slow
async def test_a_factory_follows_its_yaml_files_its_folder_and_its_helper(tmp_path: Path) -> None:
    async with real(tmp_path) as (h, _, until):
        h.write("helper.py", "PREFIX = 'x_'")
        h.write("conf/a.yaml", "[one]")
        h.write("factory.py", FACTORY)
        first = await until(lambda r: _ids(r) == ["x_one"])
        assert first.parsed.unrepeatable == ()
        h.write("conf/a.yaml", "[one, two]")
        await until(lambda r: _ids(r) == ["x_one", "x_two"])
        h.write("conf/b.yaml", "[three]")
        await until(lambda r: _ids(r) == ["x_one", "x_two", "x_three"])
        h.write("helper.py", "PREFIX = 'y_'")
        last = await until(lambda r: _ids(r) == ["y_one", "y_two", "y_three"])
        assert last.content_hash != first.content_hash


@pytest.mark.slow
async def test_a_broken_helper_breaks_its_file_and_mends_it(tmp_path: Path) -> None:
    async with real(tmp_path) as (h, results, until):
        h.write("helper.py", "NAME = 'good'")
        h.write("a.py", f"{HEAD}\nimport helper\nwith DAG(helper.NAME, schedule=None): pass\n")
        good = await until(lambda r: _ids(r) == ["good"])
        h.write("helper.py", "NAME = 1 / 0")
        broken = await until(lambda r: r.parsed.error is not None)
        assert "division by zero (helper.py, line 1)" in broken.parsed.error.message
        results.clear()
        h.write("helper.py", "NAME = 'good'")
        mended = await until(lambda r: r.parsed.error is None)
        assert mended.content_hash == good.content_hash
