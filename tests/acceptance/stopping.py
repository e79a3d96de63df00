"""A server that takes its tasks along when it ends, so that a test leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.server import LIMIT, ServeProcess


class StoppingServer(ServeProcess):
    """Ended by its own process id; hosts and tasks end with it."""

    def __init__(self, root: Path, dags: Path | None = None) -> None:
        super().__init__(root, "--stop-tasks", dags=dags)

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(LIMIT)
