"""Framed messages over a blocking unix socket: the children's and the CLI's end of every connection."""

from __future__ import annotations

import socket
from collections import deque
from pathlib import Path

from asyncflow.core.messages import FrameReader, Message, encode
from asyncflow.ipc.address import short_address

#: a server that takes no byte for so long is treated as gone
SEND_TIMEOUT = 10.0


class Wire:
    """One connection. Every method raises OSError (ConnectionError, TimeoutError) when it is broken."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = FrameReader()
        self._waiting: deque[Message] = deque()

    @classmethod
    def connect(cls, path: Path | str, timeout: float = SEND_TIMEOUT) -> Wire:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            with short_address(path) as address:
                sock.connect(address)
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: Message) -> None:
        self._socket.settimeout(SEND_TIMEOUT)
        self._socket.sendall(encode(message))

    def receive(self, timeout: float | None = None) -> Message:
        """Wait for the next message; `timeout` is between two pieces of it."""
        self._socket.settimeout(timeout)
        while not self._waiting:
            self._take(self._socket.recv(1 << 16))
        return self._waiting.popleft()

    def receive_ready(self) -> list[Message]:
        """What has arrived, without waiting: for a socket that `select` found readable."""
        self._socket.settimeout(0)
        try:
            self._take(self._socket.recv(1 << 16))
        except BlockingIOError:
            pass
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def detach(self) -> socket.socket:
        """The socket, for someone else to go on with; nothing may have been received and not been taken."""
        return self._socket

    def close(self) -> None:
        self._socket.close()

    def _take(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("the other side closed the connection")
        try:
            self._waiting.extend(self._reader.feed(data))
        except ValueError as error:  # msgspec.DecodeError is one
            raise ConnectionAbortedError(f"not a message: {error}") from error
