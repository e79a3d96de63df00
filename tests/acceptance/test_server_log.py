"""What the server keeps of its own log, from the start to the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.server import ServeProcess

pytestmark = pytest.mark.slow


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
