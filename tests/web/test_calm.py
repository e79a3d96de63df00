"""What no handler is meant to meet ends in a sentence, too."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from asyncflow.errors import DiskTrouble
from asyncflow.web import calm
from tests.web.conftest import Site
from tests.web.hostile import HEADERS


async def parts(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 500_000 + 1):
        yield b"a=" + b"a" * 500_000 + b"&"


async def never() -> AsyncIterator[bytes]:
    await anyio.sleep_forever()
    yield b""


def fails_with(site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(site.server.actions, "list_pools", fail)


def test_a_form_that_says_it_is_too_large_is_not_read(site: Site) -> None:
    answer = site.post("/preferences", {"theme": "dark"}, **{"Content-Length": str(calm.MOST + 1)})
    assert answer.status_code == 413
    assert "A form may have 12 MB at most, with its files." in answer.text


def test_a_form_that_turns_out_too_large_is_not_read_to_its_end(site: Site) -> None:
    answer = site.stream("/preferences", parts(calm.MOST))
    assert answer.status_code == 413


def test_a_form_that_does_not_arrive_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm, "PATIENCE", -1.0)
    answer = site.stream("/preferences", never())
    assert answer.status_code == 408
    assert "The form did not arrive within a minute. Send it again." in answer.text


def test_an_error_of_ours_is_logged_under_the_number_that_the_page_says(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fails_with(site, monkeypatch, RuntimeError("a secret of the server"))
    answer = site.get("/pools")
    number = re.search(r"its log has the reason under (\w+)\.", answer.text)
    assert answer.status_code == 500
    assert number
    assert f"Error {number[1]}: GET /pools could not be answered" in caplog.text
    assert "a secret of the server" in caplog.text
    assert "a secret" not in answer.text
    assert [name for name in HEADERS if name not in answer.headers] == []


def test_trouble_with_the_disk_is_said_and_may_be_over_soon(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_with(site, monkeypatch, DiskTrouble("The disk is full; free some space."))
    answer = site.get("/pools")
    assert (answer.status_code, "The disk is full; free some space." in answer.text) == (503, True)


def test_a_reader_who_goes_while_sending_a_form_is_no_error(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async def gone() -> None:
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            **{"type": "http", "method": "POST", "path": "/preferences", "query_string": b"", "headers": []},
            **{"http_version": "1.1", "scheme": "http", "root_path": "", "server": ("localhost", 80)},
        }
        scope["headers"] = [(b"content-type", b"application/x-www-form-urlencoded")]
        await site.app(scope, receive, send)
        assert sent == []

    site.ask(gone)
    assert "Traceback" not in caplog.text
