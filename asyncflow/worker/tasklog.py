"""Logging inside a task: Airflow's line format, to stdout (which is the log file of the try)."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import sys
from collections.abc import Iterator

from asyncflow.authoring.masking import mask_text

LINE = "[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(message)s"


class TaskFormatter(logging.Formatter):
    """[2026-01-01T00:00:00.000+0000] {file.py:12} INFO - message, secrets masked."""

    def __init__(self) -> None:
        super().__init__(LINE)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
        return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(super().format(record))


class _StdoutHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to what `sys.stdout` is at the time, not at creation."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self.setFormatter(TaskFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


#: made once, in the zygote: making one touches memory that each task would have to copy
_HANDLER = _StdoutHandler()


@contextlib.contextmanager
def log_to_stdout(level: int = logging.INFO) -> Iterator[None]:
    """Send all logging of this process to stdout inside of the block."""
    root = logging.getLogger()
    handler = _HANDLER
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(before, level) if before else level)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        root.setLevel(before)
