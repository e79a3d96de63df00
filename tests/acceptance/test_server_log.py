"""What the server keeps of its own log, from the start to the end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess, until

pytestmark = pytest.mark.slow
DAG = """
from asyncflow import DAG, task

with DAG("some", schedule=None):

    @task
    def one():
        pass

    one()
"""


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_what_the_processes_behind_the_server_say_is_in_its_log(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        assert server.process is not None
        server.write("some.py", DAG)
        server.wait_for_dag("some")
        (zygote,) = children(server.process.pid)
        (host,) = children(zygote)
        for pid, name in ((host, "host of some.py"), (zygote, "zygote")):
            os.kill(pid, signal.SIGSEGV)
            said = f" - {name}: Fatal Python error: Segmentation fault"
            until(lambda said=said: said in (server.home / "server.log").read_text(), f"the {name} has said why")
        assert server.run_to_end("some")["state"] == "success", "all goes on"
        assert "zygote: Fatal Python error" in server.get("/admin/log?q=zygote%3A")


def test_the_log_has_every_start_and_every_end(tmp_path: Path) -> None:
    with ServeProcess(tmp_path) as server:
        server.stop()
        server.start()
        server.stop(kill=True)
        server.start()
    lines = [line.partition(" - ")[2] for line in (server.home / "server.log").read_text().splitlines()]
    told = [line.split()[0] for line in lines if line.startswith(("asyncflow", "Stopping"))]
    assert told == ["asyncflow", "Stopping", "asyncflow", "asyncflow", "Stopping"]
    assert (server.home / "server.log").stat().st_mode & 0o777 == 0o600
