"""Asks the server: requests of task processes and the CLI over the unix socket, one after another."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from asyncflow import __version__, errors
from asyncflow.authoring.api import DagInfo, DatasetEventRow, XComRow
from asyncflow.core.messages import Hello, Request, Response, RunContext
from asyncflow.core.models import TaskKey
from asyncflow.errors import AsyncflowError, ServerUnreachable
from asyncflow.ipc import procfs
from asyncflow.worker.wire import Wire

#: an answer may take long (a clear of many runs), a dead server closes the socket at once
ANSWER_TIMEOUT = 300.0
#: seconds between two looks for a server that is being restarted, and for how long
RECONNECT, PATIENCE = 0.5, 300.0
#: what is not asked a second time: it may have been done although no answer came, or is not worth waiting for
_ONCE = frozenset({"trigger_dag_run", "rest", "wait_for_run"})


class Client:
    """A connection made at the first call and made again in a forked child or after a break. Thread-safe."""

    def __init__(
        self,
        socket: Path | str,
        *,
        role: Literal["cli", "task", "host"] = "cli",
        id: str = "",
        file: str = "",
        patience: float = 0.0,
    ) -> None:
        """`patience`: for so many seconds, a server that is away is taken to be restarting, and asked again."""
        self._socket = socket
        self._hello = {"role": role, "id": id, "file": file}
        self._wire: Wire | None = None
        self._owner = 0
        self._count = 0
        self._lock = threading.Lock()
        self._patience = patience

    def call(self, method: str, **params: Any) -> Any:
        """The result of a server method, as plain data.

        Raises the error of `asyncflow.errors` that the method raised, or ServerUnreachable.
        """
        end = time.monotonic() + (0.0 if method in _ONCE else self._patience)
        while True:
            try:
                with self._lock:
                    response = self._exchange(method, params)
                break
            except ServerUnreachable:
                if time.monotonic() >= end:
                    raise
                time.sleep(RECONNECT)
        if response.error is not None:
            raise error_of(response)
        return response.result

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _exchange(self, method: str, params: dict[str, Any]) -> Response:
        self._count += 1
        request = Request(id=self._count, method=method, params=params)
        try:
            wire = self._connected()
            wire.send(request)
            while True:
                answer = wire.receive(ANSWER_TIMEOUT)
                if isinstance(answer, Response) and answer.id == request.id:
                    return answer
        except OSError as error:
            self.close()
            raise ServerUnreachable(f"The server at {self._socket} does not answer: {error}.") from error

    def _connected(self) -> Wire:
        if self._wire is not None and self._owner != os.getpid():
            self.close()  # inherited over a fork: it is the parent's
        if self._wire is None:
            self._wire = Wire.connect(self._socket)
            self._owner = os.getpid()
            process = procfs.identity(self._owner)
            self._wire.send(msgspec.convert({"process": process, "version": __version__, **self._hello}, Hello))
        return self._wire


class BriefClient(Client):
    """Connects for each call anew: for processes with so many tasks that none may keep a socket."""

    def call(self, method: str, **params: Any) -> Any:
        try:
            return super().call(method, **params)
        finally:
            self.close()


def error_of(response: Response) -> AsyncflowError:
    """The error that a response stands for."""
    kind = getattr(errors, response.error_kind, AsyncflowError)
    if not (isinstance(kind, type) and issubclass(kind, AsyncflowError)):
        kind = AsyncflowError
    error = kind.__new__(kind)  # NotFound builds its sentence from parts; here the sentence is ready
    Exception.__init__(error, response.error)
    return error


class SocketApi:
    """`authoring.api.TaskApi` over the server's socket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def xcom_set(self, key: TaskKey, name: str, value: str, map_length: int | None = None) -> None:
        self._client.call("xcom_set", key=key, name=name, value=value, map_length=map_length)

    def xcom_rows(self, **filters: Any) -> list[XComRow]:
        result: list[XComRow] = _typed(list[XComRow], self._client.call("xcom_rows", **filters))
        return result

    def xcom_clear(self, key: TaskKey) -> None:
        self._client.call("xcom_clear", key=key)

    def dataset_events(self, **filters: Any) -> list[DatasetEventRow]:
        answer = self._client.call("dataset_events", **filters)
        result: list[DatasetEventRow] = _typed(list[DatasetEventRow], answer)
        return result

    def count_dataset_events(self, **filters: Any) -> int:
        return int(self._client.call("count_dataset_events", **filters))

    def triggering_events(self, dag_id: str, run_id: str) -> list[DatasetEventRow]:
        answer = self._client.call("triggering_events", dag_id=dag_id, run_id=run_id)
        result: list[DatasetEventRow] = _typed(list[DatasetEventRow], answer)
        return result

    def variable_get(self, name: str) -> str | None:
        result: str | None = _typed(str | None, self._client.call("variable_get", name=name))
        return result

    def variable_set(self, name: str, value: str, description: str | None = None) -> None:
        self._client.call("variable_set", name=name, value=value, description=description)

    def variable_delete(self, name: str) -> bool:
        return bool(self._client.call("variable_delete", name=name))

    def connection_get(self, conn_id: str) -> dict[str, Any] | None:
        result: dict[str, Any] | None = _typed(
            dict[str, Any] | None, self._client.call("connection_get", conn_id=conn_id)
        )
        return result

    def previous_run(self, dag_id: str, logical_date: datetime, state: str | None = None) -> RunContext | None:
        answer = self._client.call("previous_run", dag_id=dag_id, logical_date=logical_date, state=state)
        result: RunContext | None = _typed(RunContext | None, answer)
        return result

    def dag_runs(self, dag_id: str, **filters: Any) -> list[RunContext]:
        result: list[RunContext] = _typed(list[RunContext], self._client.call("dag_runs", dag_id=dag_id, **filters))
        return result

    def wait_for_run(self, dag_id: str, run_id: str, states: Sequence[str], seconds: float) -> None:
        wait = {"dag_id": dag_id, "run_id": run_id, "states": states, "seconds": min(seconds, ANSWER_TIMEOUT / 2)}
        patience = time.monotonic() + PATIENCE
        while True:
            try:
                self._client.call("wait_for_run", **wait)
                return
            except ServerUnreachable:
                if time.monotonic() > patience:
                    raise
                time.sleep(RECONNECT)

    def task_states(self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None) -> dict[str, str]:
        answer = self._client.call("task_states", dag_id=dag_id, run_id=run_id, task_ids=task_ids)
        result: dict[str, Any] = _typed(dict[str, Any], answer)
        return result

    def task_count(self, dag_id: str, **filters: Any) -> int:
        return int(self._client.call("task_count", dag_id=dag_id, **filters))

    def dag_info(self, dag_id: str) -> DagInfo | None:
        result: DagInfo | None = _typed(DagInfo | None, self._client.call("dag_info", dag_id=dag_id))
        return result

    def rest(self, resting: bool) -> None:
        with suppress(AsyncflowError):  # without a server there are no slots to give back
            self._client.call("rest", resting=resting)

    def trigger_dag_run(self, dag_id: str, **settings: Any) -> RunContext:
        result: RunContext = _typed(RunContext, self._client.call("trigger_dag_run", dag_id=dag_id, **settings))
        return result


def _typed(kind: Any, value: Any) -> Any:
    return msgspec.convert(value, kind, strict=False)
