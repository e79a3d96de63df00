from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from asyncflow.core.messages import TryFinished, TryResult

AT = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"result": TryResult(outcome="success", started_at=AT, ended_at=AT), "exit_code": 0}, ""),
        ({"start_error": "No such file."}, "No such file."),
        ({"signal": 9, "oom_killed": True}, "ran out of memory"),
        ({"signal": 11}, "killed by signal 11"),
        ({"exit_code": 7}, "exited with code 7 before it could report a result"),
    ],
    ids=["told", "not_started", "out_of_memory", "signal", "exit"],
)
def test_end_of_a_process_is_said_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    said = TryFinished(token="t", ended_at=AT, **fields).how_it_died()
    assert sentence in said
    assert bool(said) == bool(sentence)
