"""Encryption of what people entrust to us: Variable values, Connection passwords and extras.

Fernet (AES-128-CBC with HMAC). The key comes from the setting, or from a file that is made at first need and that only
its owner may read. Several keys may be given, comma-separated: the first encrypts, all decrypt (to replace a key).
"""

from __future__ import annotations

import os
import stat
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from asyncflow.errors import InvalidInput, StoreBroken

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Secrets:
    """Encrypts and decrypts; reads or makes its key at the first use (importing cryptography takes 30 ms)."""

    def __init__(self, key_file: Path, given: str | None = None) -> None:
        self._key_file = key_file
        self._given = given

    def encrypt(self, text: str) -> str:
        return self._box.encrypt(text.encode()).decode("ascii")

    def decrypt(self, token: str, what: str) -> str:
        """The text again; `what` names it in the error. Raises StoreBroken if it was encrypted with another key."""
        from cryptography.fernet import InvalidToken

        try:
            return self._box.decrypt(token.encode("ascii")).decode()
        except (InvalidToken, UnicodeEncodeError):
            raise StoreBroken(
                f"{what} was encrypted with another key than the one in {self._origin}. "
                "Give the old key too (comma-separated, after the new one), or set the value again."
            ) from None

    @property
    def _origin(self) -> str:
        return "ASYNCFLOW_SECRET_KEY" if self._given else str(self._key_file)

    @cached_property
    def _box(self) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        text = self._given or _read_or_make(self._key_file)
        try:
            return MultiFernet([Fernet(part.strip()) for part in text.split(",")])
        except ValueError:
            raise InvalidInput(
                f"The key in {self._origin} is not a Fernet key (32 bytes, URL-safe base64: 44 characters)."
            ) from None


def _read_or_make(path: Path) -> str:
    from cryptography.fernet import Fernet

    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        # Written whole under another name first: a crash never leaves half a key that later looks like the key.
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    else:
        if stat.S_IMODE(mode) & 0o077:
            raise InvalidInput(f"Others may read the key in {path}. Run: chmod 600 {path}")
    return path.read_text(encoding="ascii", errors="replace").strip()
