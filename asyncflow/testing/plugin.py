"""The pytest plugin (entry point `asyncflow`): `airflow` names, a memory for each test, fixtures.

Loaded in every pytest of an environment that has asyncflow, so it imports nothing of it before something is asked for.
If a real Airflow is installed beside, its names are left alone unless the ini option `asyncflow_airflow` says `yes`.

What a test leaves in Variables, XComs, runs and states is forgotten when it ends. Fixtures: `asyncflow_variables`,
`asyncflow_connections`, `asyncflow_clock`, `asyncflow_dagbag`, `asyncflow_engine`, `asyncflow_run_task`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asyncflow.authoring.taskinstance import TaskInstance
    from asyncflow.testing.dagbag import DagBag
    from asyncflow.testing.engine import Engine
    from asyncflow.testing.memory import MemoryApi

_memory: MemoryApi | None = None


def api() -> MemoryApi:
    """What `Variable`, `Connection` and `ti` use in the test that runs now (see `authoring.api.current_api`)."""
    global _memory
    if _memory is None:
        from asyncflow.testing.memory import MemoryApi

        _memory = MemoryApi()
    return _memory


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "asyncflow_airflow", "offer the airflow names: yes, no, or auto (if no Airflow is there)", default="auto"
    )
    parser.addini("asyncflow_dags", "folder of the DAG files, for the fixture asyncflow_dagbag", default="dags")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before the first conftest.py, which may import airflow."""
    wanted = str(early_config.getini("asyncflow_airflow")).lower()
    if wanted not in ("yes", "no", "auto"):
        raise pytest.UsageError(f"asyncflow_airflow={wanted!r}: accepted are yes, no and auto.")
    if wanted == "yes" or (wanted == "auto" and not _real_airflow()):
        from asyncflow.airflow.finder import install

        install()


def _real_airflow() -> bool:
    """Is apache-airflow itself there? Provider packages alone leave a folder without `__init__.py`."""
    spec = importlib.util.find_spec("airflow")
    return spec is not None and spec.origin is not None


def pytest_runtest_logfinish() -> None:
    """The next test finds nothing of this one."""
    global _memory
    _memory = None


@pytest.fixture
def asyncflow_variables() -> dict[str, str]:
    """Variables by name, each a text: what is put in is what `Variable.get` finds."""
    return api().variables


class Connections(MutableMapping[str, Any]):
    """Connections by id. Set one to a URI, a dict of fields or a Connection; what you get is a Connection."""

    def __getitem__(self, conn_id: str) -> Any:
        from asyncflow.authoring.connection import Connection

        return Connection(conn_id, **api().connections[conn_id])

    def __setitem__(self, conn_id: str, value: Any) -> None:
        from asyncflow.core import connections

        if isinstance(value, str):
            fields = connections.from_text(value)
        elif isinstance(value, dict):
            fields = connections.from_json(value)
        else:
            fields = {name: getattr(value, name) for name in connections.FIELDS}
        api().connections[conn_id] = fields

    def __delitem__(self, conn_id: str) -> None:
        del api().connections[conn_id]

    def __iter__(self) -> Iterator[str]:
        return iter(api().connections)

    def __len__(self) -> int:
        return len(api().connections)


@pytest.fixture
def asyncflow_connections() -> Connections:
    """Connections by id: `asyncflow_connections["db"] = "postgres://me@localhost/sales"`."""
    return Connections()


@pytest.fixture
def asyncflow_clock() -> Iterator[Callable[..., Any]]:
    """`clock = asyncflow_clock("2024-01-01T06:00")` stops the time there; `clock.shift(60)`, `clock.move_to(...)`."""
    try:
        import time_machine
    except ImportError:
        pytest.fail("The fixture asyncflow_clock needs time-machine: pip install time-machine", pytrace=False)
    from asyncflow.authoring import timezone

    travels: list[Any] = []

    def freeze(moment: Any, *, tick: bool = False) -> Any:
        at = timezone.parse(moment) if isinstance(moment, str) else moment
        travel = time_machine.travel(at, tick=tick)
        travels.append(travel)
        return travel.start()

    yield freeze
    for travel in reversed(travels):
        travel.stop()


@pytest.fixture(scope="session")
def asyncflow_dagbag(request: pytest.FixtureRequest) -> DagBag:
    """All DAGs of the folder that the ini option `asyncflow_dags` names, imported once."""
    from asyncflow.testing.dagbag import DagBag

    folder = request.config.rootpath / str(request.config.getini("asyncflow_dags"))
    if not folder.is_dir():
        pytest.fail(f"There is no folder {folder}: name it in the ini option asyncflow_dags.", pytrace=False)
    return DagBag(folder)


@pytest.fixture
def asyncflow_engine() -> type[Engine]:
    """`asyncflow_engine(dag, start=...)`: the scheduler on virtual time, see `asyncflow.testing.Engine`."""
    from asyncflow.testing.engine import Engine

    return Engine


@pytest.fixture
def asyncflow_run_task() -> Callable[..., TaskInstance]:
    """`ti = asyncflow_run_task(task)`: one try of a task for its start date, or `date`; what it raises is raised.

    `ti.xcom_pull(task_ids=...)` gives what it returned.
    """
    from asyncflow.testing.instances import TaskInstance

    def run(task: Any, date: Any = None, *, map_index: int = -1) -> TaskInstance:
        ti = TaskInstance(task, date or task.start_date, map_index=map_index)
        ti.run(ignore_ti_state=True)
        return ti

    return run
