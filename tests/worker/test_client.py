"""The blocking client against a server played by a thread."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import errors
from asyncflow.core.messages import FrameReader, Hello, Message, Request, Response, encode
from asyncflow.worker.client import Client, SocketApi
from asyncflow.worker.wire import Wire


class Server:
    """Answers requests by `answer`; remembers every Hello."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hellos: list[Hello] = []
        self.answer: Callable[[Request], Message | bytes | None] = lambda r: Response(id=r.id, result=r.params)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        reader = FrameReader()
        while data := connection.recv(4096):
            for message in reader.feed(data):
                if isinstance(message, Hello):
                    self.hellos.append(message)
                elif isinstance(message, Request):
                    answer = self.answer(message)
                    if answer is None:
                        return
                    connection.sendall(answer if isinstance(answer, bytes) else encode(answer))

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "s.sock")
    yield server
    server.close()


def test_a_call_gives_the_result_after_one_hello(server: Server) -> None:
    client = Client(server.path, role="task", id="token")
    assert client.call("echo", a=1) == {"a": 1}
    assert client.call("echo", b=[2]) == {"b": [2]}
    client.close()
    assert [(hello.role, hello.id, hello.process.pid) for hello in server.hellos] == [("task", "token", os.getpid())]


def test_an_error_comes_back_as_the_class_it_was(server: Server) -> None:
    server.answer = lambda r: Response(id=r.id, error="There is no dag 'x'.", error_kind="NotFound")
    client = Client(server.path)
    with pytest.raises(errors.NotFound, match=r"^There is no dag 'x'\.$"):
        client.call("get_dag", dag_id="x")
    server.answer = lambda r: Response(id=r.id, error="boom", error_kind="")
    with pytest.raises(errors.AsyncflowError, match="boom"):
        client.call("get_dag")
    server.answer = lambda r: Response(id=r.id, error="odd", error_kind="Iterable")
    with pytest.raises(errors.AsyncflowError, match="odd"):
        client.call("get_dag")
    client.close()


@pytest.mark.parametrize("answer", [None, b"\xff\xff\xff\xffxx", b"\0\0\0\2xx"], ids=["closes", "mad", "rubbish"])
def test_a_server_that_gives_no_answer_is_unreachable(server: Server, answer: bytes | None) -> None:
    client = Client(server.path)
    server.answer = lambda r: answer
    with pytest.raises(errors.ServerUnreachable, match=r"s\.sock does not answer"):
        client.call("echo")
    server.answer = lambda r: Response(id=r.id, result="again")
    assert client.call("echo") == "again"
    client.close()


def test_a_patient_client_asks_again_unless_it_may_have_been_done(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncflow.worker.client.RECONNECT", 0.0)
    answers: list[Any] = [None, None, "there"]
    server.answer = lambda r: Response(id=r.id, result=said) if (said := answers.pop(0)) else None
    client = Client(server.path, role="task", patience=30.0)
    assert client.call("xcom_rows") == "there"
    answers[:] = [None]
    with pytest.raises(errors.ServerUnreachable):
        client.call("trigger_dag_run")
    client.close()


def test_no_server_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(errors.ServerUnreachable):
        Client(tmp_path / "none.sock").call("echo")


def test_the_api_of_tasks_gives_typed_answers(server: Server) -> None:
    answers: dict[str, Any] = {
        "xcom_rows": [{"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1, "key": "k", "value": "1"}],
        "previous_run": {"run_id": "r", "logical_date": "2026-01-01T00:00:00Z"},
        "dag_runs": [{"run_id": "r"}],
        "dag_info": {"dag_id": "d", "task_ids": ["a"]},
        "task_states": {"a": "success"},
        "task_count": 3,
        "trigger_dag_run": {"run_id": "r"},
        "variable_get": "v",
        "variable_delete": True,
        "connection_get": {"host": "h"},
    }
    server.answer = lambda r: Response(id=r.id, result=answers.get(r.method))
    client = Client(server.path)
    api: Any = SocketApi(client)
    assert api.xcom_rows(dag_id="d", run_id="r")[0].value == "1"
    assert api.previous_run("d", None).logical_date.year == 2026
    assert [run.run_id for run in api.dag_runs("d")] == ["r"]
    assert api.dag_info("d").task_ids == ("a",)
    assert api.task_states("d", "r") == {"a": "success"}
    assert api.task_count("d") == 3
    assert api.trigger_dag_run("d", conf={}).run_id == "r"
    assert (api.variable_get("x"), api.variable_delete("x")) == ("v", True)
    assert api.connection_get("x") == {"host": "h"}
    assert api.xcom_set(("d", "r", "t", -1), "k", "1") is None
    assert api.variable_set("x", "1") is None
    assert api.xcom_clear(("d", "r", "t", -1)) is None
    client.close()


def test_messages_that_come_together_are_given_one_by_one() -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(ours)
    theirs.sendall(encode(Response(id=1)) + encode(Response(id=2)) + encode(Response(id=3))[:3])
    assert wire.receive(1) == Response(id=1)
    assert wire.receive_ready() == [Response(id=2)]
    theirs.sendall(encode(Response(id=3))[3:])
    assert wire.receive(1) == Response(id=3)
    theirs.close()
    with pytest.raises(ConnectionError):
        wire.receive_ready()
    wire.close()
