"""DAGs, their versions and their files: functions over one connection."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.core.messages import ImportFailure, Parsed
from asyncflow.core.specs import DagSpec
from asyncflow.errors import Conflict, StoreBroken
from asyncflow.store.queries import SQL
from asyncflow.store.rows import RowCodec, from_micros, names_json, to_micros

#: keeps the order of tasks, which is that of their creation; an ordered encoding would sort them by name
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(DagSpec)


class StoredDag(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG at its newest version, with its scheduling state."""

    spec: DagSpec
    version: str
    file: str
    active: bool  #: its file still builds it
    paused: bool
    next_logical_date: datetime | None = None
    next_interval_start: datetime | None = None
    next_interval_end: datetime | None = None
    next_run_after: datetime | None = None
    created_at: datetime
    changed_at: datetime  #: when the newest version came
    import_error: bool = False  #: the newest text of its file could not be loaded


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the last good import of a file said about it."""

    file: str
    content_hash: str
    parsed_at: datetime
    seconds: float
    peak_rss_kb: int
    refresh: bool
    reads: tuple[str, ...]
    variables: tuple[str, ...]
    connections: tuple[str, ...]
    unrepeatable: tuple[str, ...]
    warnings: tuple[str, ...]
    output: str


class StoredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a DAG: what its runs were made with."""

    spec: DagSpec
    version: str
    file: str
    source: str
    created_at: datetime


class StoredImportError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a file could not be loaded, and since when."""

    file: str
    line: int | None
    kind: str
    message: str
    traceback: str
    at: datetime


_FILES = RowCodec(StoredFile)
_IMPORT_ERRORS = RowCodec(StoredImportError)


def load_dags(db: sqlite3.Connection, active_only: bool) -> list[StoredDag]:
    cursor = db.execute(SQL["load_dags"], {"active_only": active_only})
    names = [column[0] for column in cursor.description]
    return [_stored(dict(zip(names, row, strict=True))) for row in cursor]


def load_dag(db: sqlite3.Connection, dag_id: str) -> StoredDag | None:
    cursor = db.execute(SQL["load_dag"], {"dag_id": dag_id})
    row = cursor.fetchone()
    names = [column[0] for column in cursor.description]
    return None if row is None else _stored(dict(zip(names, row, strict=True)))


def _stored(row: dict[str, Any]) -> StoredDag:
    created, changed = from_micros(row["created_at"]), from_micros(row["changed_at"])
    assert created is not None
    assert changed is not None
    return StoredDag(
        spec=read_spec(row["spec"], row["dag_id"]),
        version=row["version"],
        file=row["file"],
        active=bool(row["active"]),
        paused=bool(row["paused"]),
        next_logical_date=from_micros(row["next_logical_date"]),
        next_interval_start=from_micros(row["next_interval_start"]),
        next_interval_end=from_micros(row["next_interval_end"]),
        next_run_after=from_micros(row["next_run_after"]),
        created_at=created,
        changed_at=changed,
        import_error=bool(row["import_error"]),
    )


def read_spec(data: bytes, dag_id: str) -> DagSpec:
    """A definition as it is stored. Raises StoreBroken."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise StoreBroken(f"The stored definition of DAG {dag_id!r} cannot be read: {error}.") from error


def save_dags(
    db: sqlite3.Connection,
    file: str,
    dags: Sequence[tuple[DagSpec, str]],
    parsed: Parsed,
    content_hash: str,
    now: datetime,
    paused_at_creation: bool,
) -> dict[str, bool]:
    at = to_micros(now)
    source_hash = hashlib.sha256(parsed.source.encode()).hexdigest()
    db.execute(SQL["save_source"], {"hash": source_hash, "text": parsed.source})
    db.execute(SQL["save_file"], _file_params(file, parsed, content_hash, at))
    paused = {}
    for spec, version in dags:
        row = {"dag_id": spec.dag_id, "file": file, "version": version, "now": at}
        paused[spec.dag_id] = _save_dag(db, spec, row, paused_at_creation)
        db.execute(SQL["save_version"], {**row, "spec": _encoder.encode(spec), "source_hash": source_hash})
    db.execute(SQL["deactivate_missing"], {"file": file, "dag_ids": names_json(paused)}).fetchall()
    db.execute(SQL["drop_unused_sources"])
    return paused


def _save_dag(db: sqlite3.Connection, spec: DagSpec, row: dict[str, Any], paused_at_creation: bool) -> bool:
    """Insert or update the row of a DAG; True if it is paused."""
    known = db.execute(SQL["dag_place"], row).fetchone()
    if known is None:
        wish = spec.is_paused_upon_creation
        paused = paused_at_creation if wish is None else wish
        db.execute(SQL["insert_dag"], {**row, "paused": paused})
        return paused
    file, active, was_paused = known
    if active and file != row["file"]:
        raise Conflict(f"The dag_id {spec.dag_id!r} is already used by {file}; {row['file']} cannot use it too.")
    db.execute(SQL["update_dag"], row)
    return bool(was_paused)


def _file_params(file: str, parsed: Parsed, content_hash: str, at: int | None) -> dict[str, Any]:
    return {
        **{name: getattr(parsed, name) for name in ("seconds", "peak_rss_kb", "refresh", "output")},
        **{
            name: names_json(getattr(parsed, name))
            for name in ("reads", "variables", "connections", "unrepeatable", "warnings")
        },
        "file": file,
        "content_hash": content_hash,
        "parsed_at": at,
    }


def file_gone(db: sqlite3.Connection, file: str) -> list[str]:
    db.execute(SQL["delete_file"], {"file": file})
    db.execute(SQL["clear_import_error"], {"file": file})
    return sorted(row[0] for row in db.execute(SQL["deactivate_missing"], {"file": file, "dag_ids": "[]"}).fetchall())


def known_files(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute(SQL["known_files"])]


def load_files(db: sqlite3.Connection) -> list[StoredFile]:
    return _FILES.load(db.execute(SQL["load_files"]))


def load_version(db: sqlite3.Connection, dag_id: str, version: str) -> StoredVersion | None:
    row = db.execute(SQL["load_version"], {"dag_id": dag_id, "version": version}).fetchone()
    if row is None:
        return None
    spec, file, created, source = row
    created_at = from_micros(created)
    assert created_at is not None
    return StoredVersion(
        spec=read_spec(spec, dag_id), version=version, file=file, source=source or "", created_at=created_at
    )


def save_import_error(db: sqlite3.Connection, file: str, failure: ImportFailure, at: datetime) -> None:
    row = {name: getattr(failure, name) for name in ("line", "kind", "message", "traceback")}
    db.execute(SQL["save_import_error"], {**row, "file": file, "at": to_micros(at)})


def list_import_errors(db: sqlite3.Connection) -> list[StoredImportError]:
    return _IMPORT_ERRORS.load(db.execute(SQL["list_import_errors"]))
