"""Mail: addresses, messages, and a real SMTP server that takes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow.authoring import mail
from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowNotFoundException
from tests.smtp import Inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        conf.load({"smtp.smtp_host": "127.0.0.1", "smtp.smtp_port": str(inbox.port), "smtp.smtp_starttls": "False"})
        yield inbox
        conf.load({})


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("a@x.org", ["a@x.org"]),
        ("a@x.org, b@x.org;c@x.org d@x.org", ["a@x.org", "b@x.org", "c@x.org", "d@x.org"]),
        (["a@x.org", "b@x.org, c@x.org"], ["a@x.org", "b@x.org", "c@x.org"]),
        ("", []),
    ],
)
def test_addresses(given: Any, found: list[str]) -> None:
    assert mail.get_email_address_list(given) == found


@pytest.mark.parametrize("wrong", [1, [1]])
def test_what_is_no_address_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError):
        mail.get_email_address_list(wrong)


def test_a_mail_arrives_with_its_copies_and_attachments(inbox: Inbox, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b\n")
    mail.send_email("a@x.org", "Two\nlines", "<b>hello</b>", files=[str(table)], cc="c@x.org", bcc=["d@x.org"])
    ((recipients, message),) = inbox.messages
    assert recipients == ["a@x.org", "c@x.org", "d@x.org"]
    assert (message["Subject"], message["From"], message["CC"]) == ("Two lines", "airflow@example.com", "c@x.org")
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert parts == [b"<b>hello</b>", b"a,b\n"]


def test_headers_and_sender_can_be_given(inbox: Inbox) -> None:
    mail.send_email("a@x.org", "s", "b", custom_headers={"Reply-To": "me@x.org"}, sender="you@x.org")
    message = inbox.messages[0][1]
    assert (message["Reply-To"], message["From"]) == ("me@x.org", "you@x.org")


def test_a_lost_connection_is_tried_again(inbox: Inbox) -> None:
    inbox.refuse = 2
    mail.send_email("a@x.org", "s", "b")
    assert len(inbox.messages) == 1


def test_in_the_end_the_error_is_raised(inbox: Inbox) -> None:
    inbox.refuse = 99
    with pytest.raises(OSError, match="onnection"):
        mail.send_email("a@x.org", "s", "b")


def test_a_dry_run_sends_nothing(inbox: Inbox) -> None:
    mail.send_email("a@x.org", "s", "b", dryrun=True)
    assert inbox.messages == []


def test_a_connection_wins_over_the_settings(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    port = conf.get("smtp", "smtp_port")
    conf.load({})
    monkeypatch.setenv("AIRFLOW_CONN_POST", f"smtp://127.0.0.1:{port}?disable_tls=true&disable_ssl=true&timeout=5")
    mail.send_email("a@x.org", "s", "b", conn_id="post")
    assert len(inbox.messages) == 1


def test_an_unknown_connection_is_an_error() -> None:
    with pytest.raises(AirflowNotFoundException):
        mail.send_email("a@x.org", "s", "b", conn_id="nowhere")
