"""`DagBag`: all DAGs of a folder, imported into this process; for tests that the files of a project are whole.

bag = DagBag("dags")
assert not bag.import_errors
assert "etl" in bag.dags
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowDagDuplicatedIdException
from asyncflow.authoring.serialize import to_spec
from asyncflow.config import Settings, load_settings
from asyncflow.core.messages import HostConfig
from asyncflow.dagfiles.discovery import discover
from asyncflow.executors.conf import airflow_conf
from asyncflow.worker.importer import import_plainly, prepare
from asyncflow.worker.limits import ImportTimeout, time_limit


class DagBag:
    """`dags` by dag_id; `import_errors` (tracebacks) by the path of the file, as in Airflow."""

    def __init__(
        self,
        dag_folder: str | os.PathLike[str] | None = None,
        include_examples: bool | None = None,
        safe_mode: bool | None = None,
        read_dags_from_db: bool = False,
        collect_dags: bool = True,
        **_: Any,
    ) -> None:
        """`dag_folder` may be one file, too; None = the setting `dags`. `include_examples` and what else Airflow's
        takes has no effect.
        """
        self._settings = load_settings()
        self.dag_folder = str(dag_folder or self._settings.dags)
        self._safe_mode = self._settings.dag_discovery_safe_mode if safe_mode is None else safe_mode
        self.dags: dict[str, DAG] = {}
        self.import_errors: dict[str, str] = {}
        self.read_dags_from_db = read_dags_from_db
        if collect_dags:
            self.collect_dags()

    def collect_dags(self, dag_folder: str | os.PathLike[str] | None = None, **_: Any) -> None:
        """Import every DAG file of the folder."""
        path = Path(dag_folder or self.dag_folder).absolute()
        if path.is_file():
            self.process_file(str(path))
            return
        if not path.is_dir():
            raise FileNotFoundError(f"There is no DAG folder {path}.")
        for file in discover(path, safe_mode=self._safe_mode, syntax=self._settings.dag_ignore_file_syntax):
            self._process(path, file)

    def process_file(self, filepath: str, only_if_updated: bool = True, safe_mode: bool = True) -> list[DAG]:
        """Import one file again; its DAGs."""
        path, folder = Path(filepath).absolute(), Path(self.dag_folder).absolute()
        if folder.is_file() or not path.is_relative_to(folder):
            folder = path.parent
        return self._process(folder, str(path.relative_to(folder)))

    def _process(self, folder: Path, file: str) -> list[DAG]:
        path = str(folder / file)
        self.import_errors.pop(path, None)
        found: list[DAG] = []
        try:
            with _kept_as_it_is():
                config = _config(self._settings, folder, file)
                prepare(config)
                with time_limit(self._settings.dagbag_import_timeout):
                    loaded = import_plainly(config)
            for dag in loaded.dags.values():
                dag.fileloc = dag.fileloc or path
                self.bag_dag(dag, file=file)
                found.append(dag)
        except (Exception, SystemExit, ImportTimeout) as error:
            self.import_errors[path] = _told(error, self._settings.dagbag_import_timeout)
        return found

    def bag_dag(self, dag: DAG, file: str = "", **_: Any) -> None:
        """Take in one DAG. Raises InvalidDag for one that cannot run, or whose id another file has."""
        known = self.dags.get(dag.dag_id)
        if known is not None and known.fileloc != dag.fileloc:
            raise AirflowDagDuplicatedIdException(dag.dag_id, dag.fileloc, known.fileloc)
        to_spec(dag, file=file)
        self.dags[dag.dag_id] = dag

    @property
    def dag_ids(self) -> list[str]:
        """Ids of all DAGs."""
        return list(self.dags)

    def get_dag(self, dag_id: str, session: Any = None) -> DAG | None:
        """The DAG of an id, None if there is none."""
        return self.dags.get(dag_id)

    def size(self) -> int:
        """How many DAGs there are."""
        return len(self.dags)

    def dagbag_report(self) -> str:
        """A line for each DAG and each file that could not be imported."""
        lines = [f"{dag.fileloc}: {dag.dag_id} ({dag.task_count} tasks)" for dag in self.dags.values()]
        lines += [f"{path}: {text.strip().splitlines()[-1]}" for path, text in self.import_errors.items()]
        return "\n".join(lines)


def dag_files(folder: str | os.PathLike[str]) -> list[str]:
    """Paths of the DAG files of a folder, as the server would find them: to parametrize a test with."""
    settings = load_settings()
    found = discover(
        Path(folder).absolute(), safe_mode=settings.dag_discovery_safe_mode, syntax=settings.dag_ignore_file_syntax
    )
    return [str(Path(folder) / file) for file in found]


def check_dag_file(path: str | os.PathLike[str]) -> dict[str, DAG]:
    """The DAGs of one file. Raises AssertionError with the traceback if it has none or cannot be imported."""
    bag = DagBag(path, safe_mode=False)
    for text in bag.import_errors.values():
        raise AssertionError(f"{path} cannot be imported:\n{text}")
    if not bag.dags:
        raise AssertionError(f"{path} makes no DAG.")
    return bag.dags


def _config(settings: Settings, folder: Path, file: str) -> HostConfig:
    return HostConfig(
        host_id="dagbag",
        dags_folder=str(folder),
        file=file,
        conf=airflow_conf(settings),
        extra_paths=(str(settings.plugins_folder),),
        import_timeout=settings.dagbag_import_timeout,
    )


@contextmanager
def _kept_as_it_is() -> Iterator[None]:
    """What only a process that imports DAG files for a living does is undone."""
    before = sys.dont_write_bytecode
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _told(error: BaseException, limit: float) -> str:
    if isinstance(error, ImportTimeout):
        return f"The import took longer than {limit:g} s (setting dagbag_import_timeout)."
    return "".join(traceback.format_exception(error))
