"""A real `asyncflow serve` in a temporary home, driven over its socket."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asyncflow.errors import AsyncflowError, NotFound
from asyncflow.worker.client import Client

LIMIT = 120.0


class Server:
    """`with Server() as server: ...`; its tasks and hosts end with it."""

    def __init__(self, **settings: str) -> None:
        """`settings`: environment variables of the server."""
        self._settings = settings
        self._root = tempfile.TemporaryDirectory(prefix="asyncflow-bench-", ignore_cleanup_errors=True)
        self.dags = Path(self._root.name) / "dags"
        self.home = Path(self._root.name) / "home"
        self.dags.mkdir()
        self.home.mkdir()
        self._process: subprocess.Popen[bytes] | None = None
        self._client = Client(self.home / "run" / "server.sock")

    def __enter__(self) -> Server:
        ours = ("ASYNCFLOW_", "AIRFLOW_", "PYTHONDONTWRITEBYTECODE")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env |= {"ASYNCFLOW_HOME": str(self.home), "ASYNCFLOW_DAGS_ARE_PAUSED_AT_CREATION": "false"} | self._settings
        command = [sys.executable, "-m", "asyncflow", "serve", str(self.dags), "--port", "0", "--stop-tasks"]
        with open(self.home / "server.log", "wb") as log:
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
        until(self._answers, "the server answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._root.cleanup()

    def call(self, method: str, **params: Any) -> Any:
        """One action of the server, as the CLI calls it."""
        return self._client.call(method, **params)

    def put(self, files: dict[str, str]) -> None:
        """Save DAG files as editors do: beside, then renamed over."""
        for name, text in files.items():
            beside = self.dags / f"{name}.tmp"
            beside.write_text(text)
            beside.replace(self.dags / name)

    def wait_for_dags(self, dag_ids: list[str]) -> None:
        """Until all of them are loaded."""
        wanted = set(dag_ids)

        def known() -> set[str]:
            return {dag["dag_id"] for dag in self.call("list_dags") if dag["active"]}

        until(lambda: wanted <= known(), "the DAGs are loaded", pause=0.1)

    def dag(self, dag_id: str) -> dict[str, Any]:
        """What the server knows of a DAG; empty while it knows none."""
        try:
            found: dict[str, Any] = self.call("get_dag", dag_id=dag_id)
        except NotFound:
            return {}
        return found

    @property
    def address(self) -> str:
        """Of the web pages."""
        log, said = self.home / "server.log", re.compile(r"asyncflow serves (http\S+)")
        found = until(lambda: said.search(log.read_text()), "the server says where it serves")
        return str(found[1])

    @property
    def pid(self) -> int:
        """Of the server process itself."""
        assert self._process is not None
        return self._process.pid

    def cpu_seconds(self) -> float:
        """CPU time of the server process itself, its children not counted."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise SystemExit(f"The server ended:\n{(self.home / 'server.log').read_text()}")
        try:
            self.call("version")
        except AsyncflowError:
            return False
        return True


def until(look: Callable[[], Any], what: str, *, pause: float = 0.02, limit: float = LIMIT) -> Any:
    """Look again until the answer is true; the answer. Ends the program after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise SystemExit(f"Waited {limit:g} s in vain until {what}.")
        time.sleep(pause)
    return answer
