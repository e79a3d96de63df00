"""How a server ends."""

from __future__ import annotations

import anyio
import pytest

from asyncflow.config import Settings
from asyncflow.engine.serve import _last_words, serve
from asyncflow.errors import InvalidInput


def test_an_error_that_ends_the_server_is_logged_and_a_sentence_is_not(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ExceptionGroup), _last_words():
        raise ExceptionGroup("tasks", [InvalidInput("Port 1 cannot be used.")])
    assert caplog.text == ""
    with pytest.raises(ExceptionGroup), _last_words():
        raise ExceptionGroup("tasks", [InvalidInput("no"), ValueError("what is this?")])
    assert "The server ends because of an error" in caplog.text
    assert "what is this?" in caplog.text


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_other_addresses_than_this_machine_are_refused_with_a_sentence(host: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidInput, match="only 127.0.0.1, ::1 and localhost are served"):
            await serve(Settings(host=host), lambda actions: None)

    anyio.run(main)
