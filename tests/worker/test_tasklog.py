"""The log of a try: Airflow's line format, secrets hidden, nothing left behind."""

from __future__ import annotations

import logging
import re
import warnings

import pytest

from asyncflow.authoring import masking
from asyncflow.worker.tasklog import log_to_stdout


def test_lines_look_like_airflows(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stdout():
        logging.getLogger("some.module").info("hello %s", "there")
        logging.getLogger("some.module").debug("not shown")
    line = capsys.readouterr().out
    assert re.fullmatch(
        r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000\] \{test_tasklog\.py:\d+\} INFO - hello there\n", line
    )


def test_secrets_are_hidden_in_messages_and_tracebacks(capsys: pytest.CaptureFixture[str]) -> None:
    masking.mask_secret("s3cr3t")
    try:
        with log_to_stdout():
            try:
                raise ValueError("s3cr3t")
            except ValueError:
                logging.getLogger("x").exception("with s3cr3t")
    finally:
        masking.forget_secrets()
    out = capsys.readouterr().out
    assert "s3cr3t" not in out
    assert "ValueError: ***" in out


def test_warnings_go_to_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stdout(), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("mind the gap", stacklevel=1)
    assert "mind the gap" in capsys.readouterr().out


def test_logging_is_as_before_afterwards() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    with log_to_stdout():
        pass
    assert (list(root.handlers), root.level) == before
