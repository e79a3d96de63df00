"""Requests that no page sends: hostile values for all names that a route knows, in path, query, form and headers.

The routes are the application's own, and the names are those in the source of the module that answers: a new route is
covered as it is.
"""

from __future__ import annotations

import ast
import functools
import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlencode

import anyio
from starlette.routing import Route

from asyncflow.web.app import ROUTES
from asyncflow.web.security import COOKIE, FIELD
from tests.web.conftest import RUN, Site

TOKEN = "a-token-of-more-than-twenty-characters"
#: as an address, a form or a header has them: bytes that need not be text
VALUES: Sequence[bytes] = tuple(
    value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    for value in (
        *("", " ", "0", "-1", "00012", "9" * 19, "9" * 30, "-" + "9" * 30, "9" * 5000, "1e999", "nan", "٣", "²"),
        *("\x00", "a\x00b", "\r\nSet-Cookie: a=b", "\ud800", b"\xff\xfe", "é" * 2000, "한국어 \u202e\U0001f9e8"),
        *("<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "{{ 7 * 7 }}${7*7}", "{n}", "%s%n"),
        *("../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "//example.org/", "/\\example.org", "true"),
        *("\\", "a" * 20_000),
        *(
            "javascript:alert(1)",
            "http://[",
            "%",
            "%zz",
            "a&b=c;d",
            "'; DROP TABLE dag_run; --",
            "(",
            "[a-",
            "(a+)+$",
            "*",
        ),
        *("2026-01-02", "2026-13-45", "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
        *("2026-01-01T00:00:00+99:99", "2026-W01-1", "99999999999999-01-01", "0000-00-00"),
        *("[]", "{", '{"a": NaN}', '{"a": 1e999}', "[" * 2000, "null", '{"a": "\\ud800"}', '"a"', "1"),
        *("a-1-1", "a-" + "9" * 5000 + "-1", "dags a-1-1", "falling", "all", "selected", "csv", "json", "\t", "a\nb"),
    )
)
#: values for which something is there
GOOD = {
    **{"dag_id": "etl", "run_id": RUN, "task_id": "extract", "map_index": "-1", "date": "2026-01-02"},
    **{"name": "default_pool", "kind": "variable", "backfill_id": "1", "verb": "cancel", "conn_id": "warehouse"},
    **{"key": "region", "uri": "s3://lake/orders", "scope": "run", "picked": "0 etl", "run": RUN, "dag": "etl"},
    **{"state": "failed", "new": "success"},
}
_NAMING = (ast.Call, ast.Subscript)
_HEADERS = ("Cookie", "Asyncflow-Seen", "Last-Event-ID", "If-None-Match", "HX-Request", "Accept-Language", "Origin")
_TYPES = ("application/json", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain", "")


class Question(NamedTuple):
    """One request."""

    method: str
    path: bytes  #: with all that needs it quoted
    query: bytes = b""
    headers: Mapping[str, bytes] = {}
    body: bytes = b""

    def __str__(self) -> str:
        address = (self.path + (b"?" + self.query if self.query else b"")).decode("latin-1")
        headers = {name: value[:200] for name, value in self.headers.items()}
        return f"{self.method} {address[:500]} {headers} {self.body[:500]!r}"


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str


def routes() -> Iterator[tuple[str, Route]]:
    """Each method of each route."""
    for route in ROUTES:
        if isinstance(route, Route):
            for method in sorted((route.methods or {"GET"}) - {"HEAD"}):
                yield method, route


@functools.cache
def names_of(module: str, *, deep: bool = True) -> tuple[str, ...]:
    """What a module and those of ours that it imports may call the fields of a request."""
    tree = ast.parse(inspect.getsource(__import__(module, fromlist=["_"])))
    found: set[str] = set()
    for node in ast.walk(tree):
        for part in (*getattr(node, "args", ()), getattr(node, "slice", None)) if isinstance(node, _NAMING) else ():
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value.isidentifier():
                found.add(part.value)
        if deep and isinstance(node, ast.ImportFrom) and node.module == "asyncflow.web":
            for name in node.names:
                found |= set(names_of(f"asyncflow.web.{name.name}", deep=False))
        elif deep and isinstance(node, ast.ImportFrom) and (node.module or "").startswith("asyncflow.web."):
            found |= set(names_of(str(node.module), deep=False))
    return tuple(sorted(found))


def questions(seed: int) -> Iterator[Question]:
    """One for each route, each another one with another seed."""
    for method, route in routes():
        chance = random.Random(f"{seed} {method} {route.path}")
        yield _question(method, route, chance)


def _question(method: str, route: Route, chance: random.Random) -> Question:
    names = names_of(str(route.endpoint.__module__))
    given: dict[str, bytes] = {name: GOOD[name].encode() for name in names if name in GOOD and chance.random() < 0.5}
    for name in chance.sample(names, min(len(names), chance.choice((1, 1, 2, 5)))):
        given[name] = chance.choice(VALUES)
    pairs = list(given.items()) * chance.choice((1, 1, 1, 2))
    headers = {"Cookie": f"{COOKIE}={TOKEN}".encode()}
    if chance.random() < 0.3:
        name = chance.choice(_HEADERS)
        headers[name] = b"".join(chance.choice(VALUES)[:4000].split(b"\r\n"))
        if name == "Cookie":
            kind = chance.choice(("zone", "browser_zone", "language", "keymap", "theme", "form"))
            headers[name] = f"{COOKIE}={TOKEN}; asyncflow_{kind}=".encode() + headers[name]
    query, body = urlencode(pairs).encode(), b""
    if method == "POST":
        token = chance.choice((TOKEN, TOKEN, TOKEN, TOKEN, "wrong", ""))
        body = urlencode([*pairs, (FIELD, token), ("once", "")]).encode()
        query = b"" if chance.random() < 0.7 else query
        headers["Content-Type"] = b"application/x-www-form-urlencoded"
        if chance.random() < 0.2:
            headers["Content-Type"] = chance.choice(_TYPES).encode()
    return Question(method, _path(route, chance), query, headers, body)


def _path(route: Route, chance: random.Random) -> bytes:
    path = route.path.encode()
    for name in route.param_convertors:
        value = GOOD[name].encode() if chance.random() < 0.75 else chance.choice(VALUES)
        for kind in (":path", ":int", ":str", ""):
            path = path.replace(f"{{{name}{kind}}}".encode(), quote_from_bytes(value, safe=b"").encode())
    return path


async def ask(site: Site, question: Question) -> Answer:
    """Straight to the application, as the server hands it on: nothing is put right on the way."""
    messages: list[Any] = []
    bodies = [{"type": "http.request", "body": question.body, "more_body": False}]

    async def receive() -> Any:
        if not bodies and question.path != b"/events":  # a stream ends when its reader is gone
            await anyio.sleep_forever()
        return bodies.pop() if bodies else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        messages.append(message)

    fields = {"host": b"localhost", **{name.lower(): value for name, value in question.headers.items()}}
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": ""},
        **{"method": question.method, "query_string": question.query, "raw_path": question.path, "client": ("::1", 1)},
        **{"path": unquote_to_bytes(question.path).decode(errors="replace"), "server": ("localhost", 8080)},
        "headers": [(name.encode(), value) for name, value in fields.items()],
    }
    with anyio.fail_after(20):
        await site.app(scope, receive, send)
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in messages[0]["headers"]}
    text = b"".join(message.get("body", b"") for message in messages[1:]).decode(errors="replace")
    return Answer(messages[0]["status"], headers, text)


def complaint(answer: Answer) -> str:
    """What is wrong with an answer to a hostile request; "" for nothing."""
    if answer.status >= 500:
        return f"status {answer.status}"
    page = answer.text if "html" in answer.headers.get("content-type", "html") else ""
    if 'href="javascript:' in page or "<script>alert" in page or "onerror=alert(1)>" in page:
        return "it passes on what it was given as it is"
    if "Traceback (most recent" in answer.text:
        return "a traceback"
    if answer.status >= 400 and len(answer.text.strip()) < 10:
        return "no sentence"
    goes_to = answer.headers.get("location", "/").removeprefix("http://localhost")
    if not goes_to.startswith("/") or goes_to.startswith("//"):
        return f"it leads to {goes_to}"
    missing = [name for name in HEADERS if name not in answer.headers]
    return f"without {', '.join(missing)}" if missing else ""


#: on each answer, whatever it is
HEADERS = (
    *("content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"),
    *("cross-origin-opener-policy", "cross-origin-resource-policy"),
)
