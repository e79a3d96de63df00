"""The server's unix socket: accepts children and the CLI, checks who they are, cuts the stream into messages.

Plain asyncio protocols rather than streams: a message costs one callback, and sending needs no await.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from asyncflow.core.messages import FrameReader, Hello, Message, encode
from asyncflow.ipc.address import short_address

log = logging.getLogger(__name__)

#: struct ucred of unix(7): pid, uid, gid
_CREDENTIALS = struct.Struct("3i")


class Connection(asyncio.Protocol):
    """One peer. `hello` is None until it has introduced itself."""

    def __init__(
        self, on_message: Callable[[Connection, Message], None], on_closed: Callable[[Connection], None]
    ) -> None:
        self.hello: Hello | None = None
        self._on_message = on_message
        self._on_closed = on_closed
        self._reader = FrameReader()
        self._transport: asyncio.Transport | None = None

    def send(self, message: Message) -> None:
        """Queue a message; nothing happens when the peer is gone (`on_closed` tells)."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        if not _may_talk(transport.get_extra_info("socket")):
            log.warning("Refused a connection to the socket from another user")
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._reader.feed(data)
            for message in messages:
                self._take(message)
        except ValueError as error:
            log.warning("Closed a connection that sent no message: %s", error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_closed(self)

    def _take(self, message: Message) -> None:
        if self.hello is None:
            if not isinstance(message, Hello):
                raise ValueError(f"{type(message).__name__} came before Hello")
            self.hello = message
        self._on_message(self, message)


def _may_talk(sock: socket.socket) -> bool:
    """Only our own user and root; where the kernel does not tell, the socket's file mode must do."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return True
    _, uid, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return uid in (os.getuid(), 0)


class Listener:
    """The listening socket and all connections that came through it."""

    def __init__(
        self, path: Path, on_message: Callable[[Connection, Message], None], on_closed: Callable[[Connection], None]
    ) -> None:
        self._path = path
        self._on_message = on_message
        self._on_closed = on_closed
        self._connections: set[Connection] = set()
        self._server: asyncio.AbstractServer | None = None
        self._empty = asyncio.Event()

    @classmethod
    async def open(
        cls, path: Path, on_message: Callable[[Connection, Message], None], on_closed: Callable[[Connection], None]
    ) -> Listener:
        """Listen at `path` (mode 0600), replacing what a dead server left there."""
        listener = cls(path, on_message, on_closed)
        loop = asyncio.get_running_loop()
        listener._server = await loop.create_unix_server(listener._accept, sock=_bound(path))
        return listener

    async def close(self) -> None:
        """Close the socket and all connections, and remove the socket's file."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), 1.0)  # a peer that reads nothing cannot hold us up
        await asyncio.to_thread(self._path.unlink, missing_ok=True)

    def _accept(self) -> Connection:
        connection = Connection(self._on_message, self._forget)
        self._connections.add(connection)
        return connection

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._on_closed(connection)
        if not self._connections:
            self._empty.set()


def _bound(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with short_address(path) as address:
            sock.bind(address)
    finally:
        os.umask(before)
    sock.listen(1024)
    sock.setblocking(False)
    return sock
