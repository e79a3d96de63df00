"""Coroutines of one process write into logs of their own."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from asyncflow.worker import looplog
from asyncflow.worker.looplog import TryLog, logging_to


def test_whole_lines_are_appended_and_the_rest_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "try.log"
    log = TryLog(str(path))
    log.write("one\ntwo ")
    assert path.read_text() == "one\n"
    log.write("and more")
    log.close()
    log.close()
    assert path.read_text() == "one\ntwo and more\n"


def test_what_cannot_be_encoded_is_shown_all_the_same(tmp_path: Path) -> None:
    log = TryLog(str(tmp_path / "try.log"))
    log.write("half a pair: \ud800\n")
    assert (tmp_path / "try.log").read_text() == "half a pair: \\ud800\n"


def test_without_a_path_it_goes_nowhere() -> None:
    with logging_to("") as log:
        log.write("gone\n")


def test_each_coroutine_and_its_threads_write_to_their_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    looplog.route_output()

    async def speak(name: str) -> None:
        with logging_to(str(tmp_path / name)):
            print(name, "one")
            await asyncio.sleep(0)
            await asyncio.to_thread(print, name, "two", flush=True)

    async def speak_all() -> None:
        await asyncio.gather(speak("a"), speak("b"))
        print("nobody")

    asyncio.run(speak_all())
    assert (tmp_path / "a").read_text() == "a one\na two\n"
    assert (tmp_path / "b").read_text() == "b one\nb two\n"
    assert capsys.readouterr().out == "nobody\n"
    assert (sys.stdout.writable(), sys.stdout.encoding) == (True, "utf-8")
