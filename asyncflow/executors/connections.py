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
from pathlib import Path

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
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if not _may_talk(transport.get_extra_info("socket")):
            log.warning("Refused a connection to the socket from another user")
            transport.abort()

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


async def listen(
    path: Path, on_message: Callable[[Connection, Message], None], on_closed: Callable[[Connection], None]
) -> asyncio.AbstractServer:
    """Listen at `path` (mode 0600), replacing what a dead server left there."""
    sock = _bound(path)
    loop = asyncio.get_running_loop()
    return await loop.create_unix_server(lambda: Connection(on_message, on_closed), sock=sock)


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
