"""Mail through an SMTP server: `send_email` as DAG files import it, and the mail about a failed or retried task.

The settings are `smtp_host` and its neighbours. All of it happens in task processes, never in the server. What it needs
is imported when a mail is sent, as few tasks do.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.conf import conf
from asyncflow.authoring.masking import mask_secret

if TYPE_CHECKING:
    import smtplib
    from email.mime.multipart import MIMEMultipart

log = logging.getLogger("airflow.task")

_SUBJECT = "Airflow alert: {{ ti }}"
_BODY = """
Try {{ try_number }} out of {{ max_tries + 1 }}<br>
Exception:<br>{{ exception_html }}<br>
Log: <a href="{{ ti.log_url }}">{{ ti.log_url }}</a><br>
Host: {{ ti.hostname }}<br>
Mark success: <a href="{{ ti.mark_success_url }}">{{ ti.mark_success_url }}</a><br>
"""


def send_email(
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    dryrun: bool = False,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    conn_id: str | None = None,
    custom_headers: dict[str, Any] | None = None,
    sender: str | None = None,
    **_: Any,
) -> None:
    """Send a mail with an HTML body. Addresses are one text (comma, semicolon or space between) or several.

    `files`: paths of attachments. `conn_id`: a Connection whose host, port, login and password win over the settings;
    without one, `smtp_default` is used if it exists. Raises smtplib.SMTPException or OSError after the last attempt.
    """
    sender = sender or conf.get("email", "from_email", fallback="") or conf.get("smtp", "smtp_mail_from")
    message, recipients = build_mime_message(
        sender, to, subject, html_content, files, cc, bcc, mime_subtype, mime_charset, custom_headers
    )
    send_mime_email(sender, recipients, message, conn_id=conn_id or "smtp_default", dryrun=dryrun)


send_email_smtp = send_email


def build_mime_message(
    mail_from: str | None,
    to: str | Iterable[str],
    subject: str,
    html_content: str,
    files: Iterable[str] | None = None,
    cc: str | Iterable[str] | None = None,
    bcc: str | Iterable[str] | None = None,
    mime_subtype: str = "mixed",
    mime_charset: str = "utf-8",
    custom_headers: dict[str, Any] | None = None,
) -> tuple[MIMEMultipart, list[str]]:
    """The message and everyone it goes to."""
    from email.mime.application import MIMEApplication
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText
    from email.utils import formatdate

    message = MIMEMultipart(mime_subtype)
    recipients = get_email_address_list(to)
    message["Subject"] = " ".join(subject.split())  # a line break would end the header
    message["From"] = mail_from or ""
    message["To"] = ", ".join(recipients)
    if cc:
        copies = get_email_address_list(cc)
        message["CC"] = ", ".join(copies)
        recipients += copies
    if bcc:
        recipients += get_email_address_list(bcc)
    message["Date"] = formatdate(localtime=True)
    message.attach(MIMEText(html_content, "html", mime_charset))
    for name in files or ():
        path = Path(name)
        part = MIMEApplication(path.read_bytes(), Name=path.name)
        part["Content-Disposition"] = f'attachment; filename="{path.name}"'
        part["Content-ID"] = f"<{path.name}>"
        message.attach(part)
    for header, value in (custom_headers or {}).items():
        message[header] = value
    return message, recipients


def get_email_address_list(addresses: str | Iterable[str]) -> list[str]:
    """Addresses of a text (comma, semicolon or space between them) or of several. Raises TypeError for others."""
    if isinstance(addresses, str):
        return [part for part in re.split(r"\s*[,;]\s*|\s+", addresses.strip()) if part]
    if isinstance(addresses, Iterable):
        listed = list(addresses)
        if all(isinstance(item, str) for item in listed):
            return [part for item in listed for part in get_email_address_list(item)]
    raise TypeError(f"Unexpected argument type: Received '{type(addresses).__name__}'.")


def send_mime_email(
    e_from: str,
    e_to: str | list[str],
    mime_msg: MIMEMultipart,
    conn_id: str = "smtp_default",
    dryrun: bool = False,
) -> None:
    """Hand a message to the SMTP server; what fails on the way is tried again `smtp_retry_limit` times in all."""
    import smtplib

    server = _Server(conn_id)
    if dryrun:
        return
    attempts = max(1, conf.getint("smtp", "smtp_retry_limit"))
    for attempt in range(1, attempts + 1):
        log.info("Email alerting: attempt %s", attempt)
        try:
            with server.connect() as connection:
                connection.sendmail(e_from, e_to, mime_msg.as_string())
            log.info("Sent an alert email to %s", e_to)
            return
        except (smtplib.SMTPServerDisconnected, TimeoutError, ConnectionError) as error:
            if attempt == attempts:
                raise
            log.warning("The SMTP server %s did not take the mail: %s", server.host, error)


class _Server:
    """Where mail goes: the settings, or what a Connection says instead."""

    def __init__(self, conn_id: str) -> None:
        self.host = conf.get("smtp", "smtp_host")
        self.port = conf.getint("smtp", "smtp_port")
        self.timeout = conf.getfloat("smtp", "smtp_timeout")
        self.starttls = conf.getboolean("smtp", "smtp_starttls")
        self.ssl = conf.getboolean("smtp", "smtp_ssl")
        self.user = conf.get("smtp", "smtp_user", fallback="")
        self.password = conf.get("smtp", "smtp_password", fallback="")
        self._take_connection(conn_id)
        if self.password:
            mask_secret(self.password)

    def _take_connection(self, conn_id: str) -> None:
        from asyncflow.authoring.connection import Connection
        from asyncflow.authoring.exceptions import AirflowNotFoundException

        try:
            found: Any = Connection.get_connection_from_secrets(conn_id)
        except AirflowNotFoundException:
            if conn_id != "smtp_default":
                raise
            return
        self.host, self.port = found.host or self.host, found.port or self.port
        self.user, self.password = found.login or "", found.password or ""
        extra = found.extra_dejson
        self.timeout = float(extra.get("timeout", self.timeout))
        self.ssl = not extra["disable_ssl"] if "disable_ssl" in extra else self.ssl
        self.starttls = not extra["disable_tls"] if "disable_tls" in extra else self.starttls

    def connect(self) -> smtplib.SMTP:
        """An open connection, logged in."""
        import smtplib
        import ssl

        context = ssl.create_default_context()
        connection: smtplib.SMTP
        if self.ssl:
            connection = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            connection = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
            if self.starttls:
                connection.starttls(context=context)
        if self.user and self.password:
            connection.login(self.user, self.password)
        return connection


# ---- about tasks ----------------------------------------------------------------------------------------------------


def is_wanted(task: Any, retry: bool) -> bool:
    """Whether someone wants mail about a failed try of a task."""
    return bool(task.email) and bool(task.email_on_retry if retry else task.email_on_failure)


def alert(task: Any, context: Any, error: BaseException | str | None) -> str | None:
    """Send the mail about a failed try. Its own error is logged and returned: it must not change the try's end."""
    try:
        subject, body = alert_content(task, context, error)
        send_email(task.email, subject, body)
    except Exception as problem:
        log.exception("Failed to send email to: %s", task.email)
        return f"mail to {task.email}: {type(problem).__name__}: {problem}"
    return None


def alert_content(task: Any, context: Any, error: BaseException | str | None) -> tuple[str, str]:
    """Subject and body of the mail, from the templates that the settings name or ours."""
    ti = context["ti"]
    known = {
        **context,
        "exception": error,
        "exception_html": escape(str(error)).replace("\n", "<br>"),
        "try_number": ti.try_number,
        "max_tries": ti.max_tries,
    }
    env = task.get_template_env()
    subject = env.from_string(_template("subject_template", _SUBJECT)).render(known)
    return subject, env.from_string(_template("html_content_template", _BODY)).render(known)


def _template(setting: str, default: str) -> str:
    path = conf.get("email", setting, fallback="")
    return Path(path).read_text() if path else default


def sla_alert(tasks: Iterable[Any], dag_id: str, details: dict[str, Any]) -> list[str]:
    """Tell those who get the mail of tasks that missed their SLA; the errors on the way."""
    wanted = {address for task in tasks if task.email for address in get_email_address_list(task.email)}
    if not wanted:
        return []
    late = "\n".join(f"{task_id} (due {details['deadline']})" for task_id in details["tasks"])
    blocking = "\n".join(f"{ti['task_id']} ({ti['state'] or 'none'})" for ti in details["blocking"])
    body = (
        f"Here's a list of tasks that missed their SLAs:<pre><code>{escape(late)}</code></pre>"
        f"Blocking tasks:<pre><code>{escape(blocking)}</code></pre>"
    )
    try:
        send_email(sorted(wanted), f"[airflow] SLA miss on DAG={dag_id}", body)
    except Exception as problem:
        log.exception("Failed to send the mail about missed SLAs")
        return [f"mail to {', '.join(sorted(wanted))}: {type(problem).__name__}: {problem}"]
    return []
