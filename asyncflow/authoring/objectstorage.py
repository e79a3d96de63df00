"""ObjectStoragePath: paths in object stores, `s3://conn_id@bucket/key`, as `airflow.io.path`.

Local files need nothing; other stores need the package fsspec and the one that knows the store (s3fs, gcsfs, adlfs).
"""

from __future__ import annotations

import importlib
import posixpath
from collections.abc import Iterator
from typing import Any

from asyncflow.authoring.connection import Connection


class ObjectStoragePath:
    """A path; making one opens nothing."""

    def __init__(self, path: Any, *, conn_id: str | None = None, **storage_options: Any) -> None:
        protocol, separator, rest = str(path).partition("://")
        self.protocol, rest = (protocol, rest) if separator else ("file", str(path))
        bucket, slash, key = rest.partition("/")
        given, at, bucket = bucket.rpartition("@")
        self.conn_id = conn_id or (given if at else None)
        self._rest = bucket + slash + key
        self._options = storage_options

    # ---- the text -------------------------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """What the store calls it: bucket and key, without protocol."""
        return self._rest

    @property
    def bucket(self) -> str:
        return self._rest.partition("/")[0] if self.protocol != "file" else ""

    container = bucket

    @property
    def key(self) -> str:
        return self._rest.partition("/")[2] if self.protocol != "file" else self._rest

    @property
    def name(self) -> str:
        return posixpath.basename(self._rest.rstrip("/"))

    @property
    def stem(self) -> str:
        return posixpath.splitext(self.name)[0]

    @property
    def suffix(self) -> str:
        return posixpath.splitext(self.name)[1]

    @property
    def parent(self) -> ObjectStoragePath:
        return self._at(posixpath.dirname(self._rest.rstrip("/")))

    def joinpath(self, *parts: Any) -> ObjectStoragePath:
        return self._at(posixpath.join(self._rest, *(str(part).lstrip("/") for part in parts)))

    def __truediv__(self, part: Any) -> ObjectStoragePath:
        return self.joinpath(part)

    def __str__(self) -> str:
        if self.protocol == "file":
            return f"file://{self._rest}"
        return f"{self.protocol}://{f'{self.conn_id}@' if self.conn_id else ''}{self._rest}"

    def __repr__(self) -> str:
        return f"ObjectStoragePath({str(self)!r})"

    def __fspath__(self) -> str:
        return self._rest if self.protocol == "file" else str(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectStoragePath) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def as_uri(self) -> str:
        return str(self)

    # ---- the store ------------------------------------------------------------------------------------------------

    @property
    def fs(self) -> Any:
        """The file system of fsspec. Raises ImportError with a sentence if the package is not installed."""
        try:
            fsspec = importlib.import_module("fsspec")
        except ImportError:
            raise ImportError(
                f"{self} needs the package fsspec and the one for {self.protocol}: pip install fsspec s3fs, say."
            ) from None
        return fsspec.filesystem(self.protocol, **{**self._credentials(), **self._options})

    @property
    def storage_options(self) -> dict[str, Any]:
        return dict(self._options)

    def _credentials(self) -> dict[str, Any]:
        """What the connection says, in fsspec's words; of stores other than S3 its extra as it is."""
        if self.conn_id is None:
            return {}
        connection = Connection.get(self.conn_id)
        extra = connection.extra_dejson
        if self.protocol not in ("s3", "s3a"):
            return extra
        found = {"key": connection.login, "secret": connection.password, "endpoint_url": extra.get("endpoint_url")}
        return {name: value for name, value in found.items() if value}

    def open(self, mode: str = "r", **kwargs: Any) -> Any:
        if self.protocol == "file":
            return open(self._rest, mode, **kwargs)
        return self.fs.open(self._rest, mode, **kwargs)

    def read_text(self, encoding: str | None = None) -> str:
        with self.open("r", encoding=encoding) as file:
            return str(file.read())

    def read_bytes(self) -> bytes:
        with self.open("rb") as file:
            return bytes(file.read())

    def write_text(self, text: str, encoding: str | None = None) -> int:
        with self.open("w", encoding=encoding) as file:
            return int(file.write(text))

    def write_bytes(self, content: bytes) -> int:
        with self.open("wb") as file:
            return int(file.write(content))

    def exists(self) -> bool:
        return bool(self.fs.exists(self._rest))

    def is_dir(self) -> bool:
        return bool(self.fs.isdir(self._rest))

    def is_file(self) -> bool:
        return bool(self.fs.isfile(self._rest))

    def size(self) -> int:
        return int(self.fs.size(self._rest))

    def stat(self) -> dict[str, Any]:
        return dict(self.fs.info(self._rest))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        if parents:
            self.fs.makedirs(self._rest, exist_ok=exist_ok)
        elif not (exist_ok and self.exists()):
            self.fs.mkdir(self._rest, create_parents=False)

    def touch(self, exist_ok: bool = True) -> None:
        if not exist_ok and self.exists():
            raise FileExistsError(str(self))
        self.fs.touch(self._rest, truncate=False)

    def unlink(self, recursive: bool = False) -> None:
        self.fs.rm(self._rest, recursive=recursive)

    def rmdir(self, recursive: bool = True) -> None:
        self.fs.rm(self._rest, recursive=recursive)

    def iterdir(self) -> Iterator[ObjectStoragePath]:
        return (self._at(found) for found in self.fs.ls(self._rest, detail=False))

    def glob(self, pattern: str) -> Iterator[ObjectStoragePath]:
        return (self._at(found) for found in self.fs.glob(posixpath.join(self._rest, pattern)))

    def copy(self, target: ObjectStoragePath | str, recursive: bool = False) -> None:
        """Copy it, also to another store."""
        other = target if isinstance(target, ObjectStoragePath) else ObjectStoragePath(target)
        if other.protocol == self.protocol:
            self.fs.copy(self._rest, other._rest, recursive=recursive)
        else:
            other.write_bytes(self.read_bytes())

    def move(self, target: ObjectStoragePath | str, recursive: bool = False) -> None:
        """Copy it and delete it here."""
        self.copy(target, recursive)
        self.unlink(recursive)

    rename = replace = move

    def _at(self, rest: str) -> ObjectStoragePath:
        made = ObjectStoragePath.__new__(ObjectStoragePath)
        made.protocol, made.conn_id, made._rest, made._options = self.protocol, self.conn_id, rest, self._options
        return made


def attach(protocol: str | None = None, conn_id: str | None = None, **kwargs: Any) -> None:
    """Stores need no attaching here."""
