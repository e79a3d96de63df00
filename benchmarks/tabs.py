"""Browser tabs without a browser: streams that fetch what the page's script would fetch. Run as a process of its own.

python benchmarks/tabs.py ADDRESS SECONDS PATH [PATH ...] opens one tab for each path, fetches the page and its live
stream, and for each event the fragments that wait for it, as htmx does: while one fetch is under way, one more waits.
Prints what happened as JSON when the seconds are over.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import sys
import time
import zlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

_STREAM = re.compile(r'hx-sse:connect="([^"]+)"')
_FRAGMENT = re.compile(r'id="([\w-]+)" hx-get="([^"]+)" hx-trigger="(\w+) from:#live')


class Web:
    """One kept connection to a server."""

    def __init__(self, address: str, agent: str = "") -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.cookie = f"asyncflow_form={agent}" if agent else ""
        self.received = 0  #: bytes of bodies, as they came

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text."""
        try:
            reader = await self._ask(path, headers)
            status, fields = await _head(reader)
        except (asyncio.IncompleteReadError, ConnectionError):  # it rested for too long
            self.cut()
            reader = await self._ask(path, headers)
            status, fields = await _head(reader)
        if match := re.search(r"(asyncflow_form=[^;]+)", fields.get("set-cookie", "")):
            self.cookie = match[1]
        body = b"".join([part async for part in _body(reader, status, fields)])
        self.received += len(body)
        if fields.get("content-encoding") == "gzip":
            body = zlib.decompress(body, 31)
        return status, body.decode()

    async def open_stream(self, path: str, **headers: str) -> AsyncIterator[bytes]:
        """The parts of an answer that does not end."""
        try:
            reader = await self._ask(path, headers)
            status, fields = await _head(reader)
        except (asyncio.IncompleteReadError, ConnectionError):  # it rested for too long
            self.cut()
            reader = await self._ask(path, headers)
            status, fields = await _head(reader)
        return _body(reader, status, fields)

    async def _ask(self, path: str, headers: dict[str, str]) -> asyncio.StreamReader:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        reader, writer = self._streams
        fields = {"Host": "localhost", "Accept-Encoding": "gzip", "Cookie": self.cookie, **headers}
        lines = [
            f"GET {path} HTTP/1.1",
            *(f"{name.replace('_', '-')}: {text}" for name, text in fields.items() if text),
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()
        return reader

    def cut(self) -> None:
        """Drop the connection, as a network does."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = {}
    for line in filter(None, lines[1:]):
        name, _, value = line.partition(": ")
        fields[name.lower()] = value
    return int(lines[0].split()[1]), fields


async def _body(reader: asyncio.StreamReader, status: int, fields: dict[str, str]) -> AsyncIterator[bytes]:
    if status in (204, 304):
        return
    if "content-length" in fields:
        yield await reader.readexactly(int(fields["content-length"]))
        return
    while size := int(await reader.readline(), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


class Tab:
    """One page that keeps itself up to date."""

    def __init__(self, address: str, path: str, agent: str = "") -> None:
        self.path = path
        self.fragments: dict[str, str] = {}  #: id -> its text as it is now
        self.fetches, self.unchanged, self.events, self.heard = 0, 0, 0, 0
        self.took: list[float] = []
        self._web, self._stream = Web(address, agent), Web(address, agent)
        self._waiting: dict[str, tuple[str, str]] = {}  #: id -> (address, topic)
        self._turn = asyncio.Lock()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_id = ""
        self._seen = ""
        self._events_address = ""

    async def load(self) -> None:
        """Fetch the page."""
        status, text = await self._web.get(self.path)
        assert status == 200, (self.path, status)
        self._stream.cookie = self._web.cookie
        stream = _STREAM.search(text)
        assert stream is not None, self.path
        self._events_address = html.unescape(stream[1])
        self._waiting = {name: (html.unescape(path), topic) for name, path, topic in _FRAGMENT.findall(text)}

    async def listen(self) -> None:
        """Follow the stream until it ends or is cut."""
        parts = await self._stream.open_stream(
            self._events_address, **({"Last_Event_ID": self.last_id} if self.last_id else {})
        )
        text = ""
        async for part in parts:
            self.heard += len(part)
            text += part.decode()
            *events, text = text.split("\n\n")
            for event in events:
                self._hear(event)

    def _hear(self, event: str) -> None:
        fields = dict(line.split(": ", 1) for line in event.split("\n") if ": " in line)
        self.last_id = fields.get("id", self.last_id)
        if "event" not in fields:
            return
        self.events += 1
        for name, (_, topic) in self._waiting.items():
            if topic == fields["event"]:
                self._fetch_soon(name, fields.get("data", ""))

    def _fetch_soon(self, name: str, seen: str) -> None:
        self._seen = seen
        if name in self._busy:
            self._again.add(name)
            return
        self._busy.add(name)
        task = asyncio.create_task(self._fetch(name, seen))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetch(self, name: str, seen: str) -> None:
        begun = time.perf_counter()
        async with self._turn:  # one connection: one after the other
            address, topic = self._waiting[name]
            status, text = await self._web.get(address, HX_Request="true", Asyncflow_Seen=seen)
        self.took.append(time.perf_counter() - begun)
        self.fetches += 1
        if status == 200:
            self.fragments[name] = text
            if found := re.search(rf'id="{name}" hx-get="([^"]+)"', text):
                self._waiting[name] = (html.unescape(found[1]), topic)
        elif status == 204:
            self.unchanged += 1
        self._busy.discard(name)
        if name in self._again:
            self._again.discard(name)
            self._fetch_soon(name, self._seen)

    @property
    def resting(self) -> bool:
        """Nothing is being fetched."""
        return not self._busy

    def cut(self) -> None:
        """Lose the stream."""
        self._stream.cut()


async def watch(address: str, seconds: float, paths: list[str]) -> dict[str, float]:
    """Open all tabs, let them follow, and count."""
    tabs = [Tab(address, path, agent=f"agent-{number:036}") for number, path in enumerate(paths)]
    for tab in tabs:
        await tab.load()
    streams = [asyncio.create_task(tab.listen()) for tab in tabs]
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)  # the server's figures before are taken meanwhile
    before = [(tab.fetches, tab.unchanged, tab.events, tab.heard) for tab in tabs]
    await asyncio.sleep(seconds)
    after = [(tab.fetches, tab.unchanged, tab.events, tab.heard) for tab in tabs]
    fetches, unchanged, events, heard = (
        sum(now[at] - then[at] for now, then in zip(after, before, strict=True)) for at in range(4)
    )
    took = sorted(time for tab in tabs for time in tab.took)
    for stream in streams:
        stream.cancel()
    return {
        "fetches_per_second": fetches / seconds,
        "unchanged_per_second": unchanged / seconds,
        "events_per_second": events / seconds,
        "stream_bytes_per_tab_per_minute": heard / len(tabs) / seconds * 60,
        "fetch_p95_ms": took[int(len(took) * 0.95)] * 1000 if took else 0.0,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(watch(sys.argv[1], float(sys.argv[2]), sys.argv[3:]))))
