"""Imports one DAG file into this process: for a parse (bounded, watched, answered as `Parsed`) or for a task (plainly).

Called in forked hosts and task processes only: what a file does to the process stays there.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import linecache
import os
import sys
import time
import traceback
import types
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from asyncflow.airflow import finder
from asyncflow.authoring.api import TaskApi, use_api
from asyncflow.authoring.conf import conf
from asyncflow.authoring.current import collecting, dags_of
from asyncflow.core.messages import HostConfig, ImportFailure, Parsed
from asyncflow.core.specs import DagSpec
from asyncflow.ipc.fingerprint import fingerprint
from asyncflow.worker import repeatable
from asyncflow.worker.audit import Recorder
from asyncflow.worker.client import Client, SocketApi
from asyncflow.worker.limits import ImportTimeout, Output, memory_limit, time_limit

_TRACEBACK_LIMIT = 64 * 1024


@dataclass
class Loaded:
    """A DAG file in memory."""

    module: types.ModuleType
    dags: dict[str, Any] = field(default_factory=dict)

    def get_ready(self) -> None:
        """Do once, before forking, what each task would else do for itself."""
        for dag in self.dags.values():
            with suppress(Exception):  # a task will hit it again, in its own log
                dag.get_template_env()


@dataclass(frozen=True)
class _Place:
    """Where a DAG file is: `path` is what tracebacks show, `archive` the zip it lies in."""

    path: str
    archive: str | None
    member: str


class RecordingApi:
    """A TaskApi that notes which Variables and Connections an import asks for."""

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._api = SocketApi(client)
        self._recorder = recorder
        self.variables: set[str] = set()
        self.connections: set[str] = set()

    def variable_get(self, name: str) -> str | None:
        self.variables.add(name)
        with self._asking():
            return self._api.variable_get(name)

    def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        self.connections.add(conn_id)
        with self._asking():
            return self._api.connection_get(conn_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Our own connection is not the file's doing, and is not left open as if it were."""
        with self._recorder.pause():
            try:
                yield
            finally:
                self._client.close()


def prepare(config: HostConfig) -> None:
    """Make this process one that DAG files can be imported in: paths, `airflow` names, settings."""
    for path in (config.dags_folder, *config.extra_paths):
        if path and path not in sys.path:
            sys.path.append(path)
    conf.load(config.conf)
    finder.install()
    # A .pyc is told from a stale one by size and whole seconds: an edit right after an edit would be missed.
    sys.dont_write_bytecode = True


def import_plainly(config: HostConfig) -> Loaded:
    """Import the file with no bounds, output where it goes. Raises whatever the file raises."""
    place = locate(config.dags_folder, config.file)
    if config.source is not None:
        source = config.source
    else:
        source = source_text(place, Path(place.archive or place.path).read_bytes())
    with collecting() as registered:
        module = execute(place, source)
        return Loaded(module, {dag.dag_id: dag for dag in dags_of(module, registered)})


def parse(config: HostConfig, client: Client) -> tuple[Loaded | None, Parsed]:
    """Import the file within its bounds. Never raises for anything the file does, short of ending the process.

    Signal handlers that the import changed are put back; the environment and the working directory stay as the file
    wants them, for its tasks would find them so too.
    """
    started = time.monotonic()
    place = locate(config.dags_folder, config.file)
    recorder = Recorder(config.dags_folder, own_files=frozenset({place.path, place.archive or place.path}))
    recording = RecordingApi(client, recorder)
    import_ = _Import(config, place, recorder)
    before = use_api(recording)
    try:
        import_.run()
    finally:
        use_api(before)
    parsed = Parsed(
        host_id=config.host_id,
        file=config.file,
        dags=tuple(import_.specs),
        error=import_.error,
        source=import_.source,
        content_hash=import_.fingerprint(),
        reads=tuple(sorted(import_.reads())),
        variables=tuple(sorted(recording.variables)),
        connections=tuple(sorted(recording.connections)),
        unrepeatable=tuple(import_.reasons),
        refresh=any(import_.reasons.values()) or bool(recorder.seen.outside),
        warnings=tuple(recorder.seen.warnings),
        seconds=time.monotonic() - started,
        output=import_.output,
    )
    return import_.loaded, parsed


class _Import:
    """One bounded import and what came of it."""

    def __init__(self, config: HostConfig, place: _Place, recorder: Recorder) -> None:
        self._config = config
        self._place = place
        self._recorder = recorder
        self._main = b""
        self.source = ""
        self.output = ""
        self.loaded: Loaded | None = None
        self.specs: list[DagSpec] = []
        self.error: ImportFailure | None = None
        self.reasons: dict[str, bool] = {}

    def run(self) -> None:
        begin = datetime.now(UTC)
        output = Output(self._config.output_limit_kb)
        full = False
        try:
            with time_limit(self._config.import_timeout), memory_limit(self._config.memory_limit_mb):
                self._load()
        except BaseException as error:
            full = output.is_full
            self.error = explain(error, self._config, self._place, full_output=full)
        finally:
            self.output = output.close()
        self._judge(begin, datetime.now(UTC))

    def _load(self) -> None:
        self.source = self._source()
        with collecting() as registered:
            with self._recorder:
                module = execute(self._place, self.source)
            dags = dags_of(module, registered)
            self.loaded = Loaded(module, {dag.dag_id: dag for dag in dags})
            self._describe()

    def _source(self) -> str:
        if self._config.source is not None:
            return self._config.source
        with open(self._place.archive or self._place.path, "rb") as file:
            self._main = file.read()
        return source_text(self._place, self._main)

    def fingerprint(self) -> str:
        """Names this import; of a version that was given by its text, the name it was given under."""
        if self._config.source is not None:
            return self._config.content_hash
        return fingerprint(self._config.dags_folder, self._main, self.reads())

    def _describe(self) -> None:
        from asyncflow.authoring.serialize import to_spec

        assert self.loaded is not None
        for dag in self.loaded.dags.values():
            try:
                self.specs.append(to_spec(dag, file=self._config.file))
            except Exception as error:
                self.error = self.error or explain(error, self._config, self._place)

    def reads(self) -> set[str]:
        """Files and folders under the DAG folder that the import depends on, the file itself left out."""
        own = {self._place.path, self._place.archive}
        return (self._recorder.seen.reads | set(self._helpers)) - own

    @cached_property
    def _helpers(self) -> dict[str, types.ModuleType]:
        """Modules of the DAG folder that the import has loaded, by path."""
        folder = self._config.dags_folder.rstrip("/") + "/"
        found = {}
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None)
            if isinstance(path, str) and path.startswith(folder) and path != self._place.path:
                found[path] = module
        return found

    def _judge(self, begin: datetime, end: datetime) -> None:
        self.reasons = dict(self._recorder.seen.reasons)
        helpers = self._helpers
        sources = {self._place.path: self.source}
        for path in helpers:
            sources[path] = "".join(linecache.getlines(path))
        self.reasons |= repeatable.scan(sources, self._place.path)
        modules = [*helpers.values(), *([self.loaded.module] if self.loaded else [])]
        for module in modules:
            self.reasons |= repeatable.moments(dict(vars(module)), begin, end)


def locate(dags_folder: str, file: str) -> _Place:
    """Find a DAG file, or the archive on the way to it."""
    path = os.path.join(dags_folder, file)
    archive, _, member = path.rpartition("/")
    if not os.path.isdir(archive) and os.path.isfile(archive) and zipfile.is_zipfile(archive):
        return _Place(path, archive, member)
    return _Place(path, None, file)


def source_text(place: _Place, content: bytes) -> str:
    """The text of a DAG file, given the bytes of it or of its archive. Raises SyntaxError when it is not text."""
    try:
        if place.archive is not None:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(place.member)
        return importlib.util.decode_source(content)
    except (UnicodeDecodeError, KeyError) as error:
        raise SyntaxError(f"the file is not readable as text: {error}", (place.path, 1, None, None)) from None


def execute(place: _Place, source: str) -> types.ModuleType:
    """Run a file as a module of its own, named as Airflow names them. Raises whatever it raises."""
    stem = Path(place.path).stem
    digest = hashlib.sha1(place.path.encode(), usedforsecurity=False).hexdigest()
    module = types.ModuleType(f"unusual_prefix_{digest}_{stem}")
    module.__file__ = place.path
    if place.archive is not None and place.archive not in sys.path:
        sys.path.insert(0, place.archive)
    # inspect.getsource and tracebacks show what was imported, even when the file has changed since.
    linecache.cache[place.path] = (len(source), None, source.splitlines(keepends=True), place.path)
    code = compile(source, place.path, "exec", dont_inherit=True)
    sys.modules[module.__name__] = module
    exec(code, module.__dict__)
    return module


@contextmanager
def using(api: TaskApi) -> Iterator[None]:
    """`api` answers Variable, Connection and XCom calls inside."""
    before = use_api(api)
    try:
        yield
    finally:
        use_api(before)


def explain(
    error: BaseException, config: HostConfig, place: _Place | None = None, *, full_output: bool = False
) -> ImportFailure:
    """The import error for what a file raised: its line, a sentence, the traceback from the DAG folder on."""
    place = place or locate(config.dags_folder, config.file)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(config.dags_folder)]
    line = next((f.lineno for f in reversed(frames) if f.filename == place.path), None)
    where = getattr(error, "where", None)
    if isinstance(error, SyntaxError) and error.filename == place.path:
        line = error.lineno
    elif where and where[0] == place.path:
        line = where[1]
    kind, message = _sentence(error, config, full_output)
    if frames and frames[-1].filename != place.path:
        inner = frames[-1]
        message += f" ({os.path.relpath(inner.filename, config.dags_folder)}, line {inner.lineno})"
    return ImportFailure(file=config.file, line=line, kind=kind, message=message, traceback=_traceback(error, config))


def _sentence(error: BaseException, config: HostConfig, full_output: bool) -> tuple[str, str]:
    if isinstance(error, ImportTimeout):
        return "timeout", (
            f"The import took longer than {config.import_timeout:g} s (setting dagbag_import_timeout). "
            "Move slow work into a task."
        )
    if full_output and isinstance(error, OSError):
        return "output", (
            f"The import prints more than {config.output_limit_kb} KiB (setting dag_output_limit_kb). Print less."
        )
    if isinstance(error, MemoryError):
        return "memory", (
            f"The import needs more than {config.memory_limit_mb} MiB of memory (setting dag_memory_limit_mb). "
            "Load data inside a task."
        )
    if isinstance(error, SystemExit):
        return "exit", f"The file ends the process while it is imported: sys.exit({error.code!r}). Remove that call."
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        return kind, f"{kind}: {error.msg}"
    text = _text(error)
    return kind, f"{kind}: {text}" if text else kind


def _text(error: BaseException) -> str:
    try:
        return str(error)[:2000]
    except BaseException:
        return "(its text cannot be shown)"


def _traceback(error: BaseException, config: HostConfig) -> str:
    try:
        top = error.__traceback__
        while top is not None and not top.tb_frame.f_code.co_filename.startswith(config.dags_folder):
            top = top.tb_next
        # Syntax errors have no frame in the file: the exception alone says it all.
        lines = traceback.format_exception(type(error), error, top)
        return "".join(lines)[-_TRACEBACK_LIMIT:]
    except BaseException:
        return type(error).__name__
