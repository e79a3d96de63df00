"""Whatever a request says, the answer is a page or a sentence, with all headers that protect its reader.

`ASYNCFLOW_HOSTILE=200 pytest tests/web/test_hostile.py` asks each route 200 times.
"""

from __future__ import annotations

import os

import pytest

from asyncflow.core.states import RunState, TaskState
from tests.web.conftest import Site, a_run, a_ti
from tests.web.hostile import ask, complaint, questions

ROUNDS = int(os.environ.get("ASYNCFLOW_HOSTILE", "3"))


def test_each_route_answers_hostile_requests_with_a_page_or_a_sentence(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    run = a_run(1, state=RunState.RUNNING, ended_at=None)
    site.store(run, a_ti(run, "extract", state=TaskState.DEFERRED, ended_at=None))
    found: dict[str, str] = {}
    for seed in range(ROUNDS):
        for question in questions(seed):
            caplog.clear()
            if said := complaint(site.ask(ask, site, question)):
                trace = "\n".join(caplog.text.splitlines()[-8:])
                found.setdefault(f"{question.method} {said}\n{trace}", str(question))
    assert not found, "\n\n".join(f"{question}\n{said}" for said, question in found.items())
