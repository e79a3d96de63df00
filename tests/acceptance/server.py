"""A real `asyncflow serve` process for tests: its own home, its own folder, port chosen by the kernel."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asyncflow.worker.client import Client

#: seconds that anything may take on a machine that runs other tests as well; only a failure waits so long
LIMIT = 90.0
#: seconds: what people see at once, seen on a machine that runs other tests as well; benchmarks/ tells how soon it is
SOON = 5.0
ADDRESS = re.compile(r"http://[\w.:\[\]]+")


def environment(home: Path) -> dict[str, str]:
    """The environment of a user who has set nothing but the home directory."""
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("ASYNCFLOW_", "AIRFLOW_", "PYTHONDONTWRITE"))}
    return {**keep, "ASYNCFLOW_HOME": str(home)}


def until(look: Callable[[], Any], what: object, limit: float = LIMIT) -> Any:
    """Look again until the answer is true; the answer. Fails with `what` after `limit` seconds."""
    deadline = time.monotonic() + limit
    pause = threading.Event()
    while True:
        answer = look()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {limit:g} s in vain until {what!s}; last answer: {answer!r}")
        pause.wait(0.02)


class ServeProcess:
    """`with ServeProcess(tmp_path) as server: ...`; its tasks end with it, unless it is killed."""

    def __init__(self, root: Path, *flags: str, dags: Path | None = None) -> None:
        self.home = root / "home"
        self.dags = dags or root / "dags"
        self.dags.mkdir(exist_ok=True)
        self._flags = flags
        self.address = ""
        self.process: subprocess.Popen[str] | None = None
        self.output: list[str] = []
        self._reader: threading.Thread | None = None

    def __enter__(self) -> ServeProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()
        if self._reader is not None:
            self._reader.join(LIMIT)

    def start(self) -> None:
        """Start and wait until the pages answer."""
        self.address = ""
        command = [
            sys.executable,
            "-m",
            "asyncflow",
            "serve",
            str(self.dags),
            "--port",
            "0",
            "--stop-tasks",
            *self._flags,
        ]
        self.process = subprocess.Popen(
            command, env=environment(self.home), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        until(lambda: self.address or self.process.poll() is not None, "the server says its address")
        assert self.address, "".join(self.output)
        until(lambda: (self.home / "run" / "server.sock").exists(), "the socket is there")

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
                found = ADDRESS.search(line)
                if found and not self.address:
                    self.address = found.group()

    def stop(self, kill: bool = False) -> int:
        """SIGTERM (or SIGKILL); the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        return self.process.wait(LIMIT)

    def call(self, method: str, **params: Any) -> Any:
        """One action over the socket."""
        client = Client(self.home / "run" / "server.sock")
        try:
            return client.call(method, **params)
        finally:
            client.close()

    def get(self, path: str) -> str:
        """A page."""
        with urllib.request.urlopen(self.address + path, timeout=LIMIT) as response:
            return str(response.read().decode())

    def health(self) -> Any:
        return json.loads(self.get("/health"))

    def write(self, name: str, text: str) -> Path:
        """Put a file into the DAG folder the way editors do: beside, then renamed over."""
        path = self.dags / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp~")
        temporary.write_text(text)
        temporary.replace(path)
        return path

    def dag(self, dag_id: str) -> Any:
        """The DAG's row, None while there is none."""
        return next((row for row in self.call("list_dags") if row["dag_id"] == dag_id and row["active"]), None)

    def wait_for_dag(self, dag_id: str, limit: float = LIMIT) -> Any:
        return until(lambda: self.dag(dag_id), f"DAG {dag_id} appears", limit)

    def run_to_end(self, dag_id: str, **params: Any) -> Any:
        """Trigger, wait for the end, the run with its tasks."""
        self.call("unpause_dag", dag_id=dag_id)
        run = self.call("trigger_dag", dag_id=dag_id, **params)
        return self.wait_for_run(dag_id, run["run_id"])

    def wait_for_run(self, dag_id: str, run_id: str, limit: float = LIMIT) -> Any:
        def ended() -> Any:
            row = self.call("get_run", dag_id=dag_id, run_id=run_id)
            return row if row["state"] in ("success", "failed") else None

        return until(ended, f"run {run_id} ends", limit)
