"""What people did: each change that comes through a page or a command leaves a line, with its arguments, masked.

Whoever lets a person in says so with `acting`; what the server does by itself, and what tasks ask for, is in the
journal alone. Actions are recognised by the verb their name begins with, so that a new one is recorded without being
told.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import msgspec

from asyncflow.core.secrecy import MASK, is_sensitive
from asyncflow.engine.changes import Changes
from asyncflow.engine.clock import Clock
from asyncflow.engine.hiding import hide_secrets
from asyncflow.engine.jsonable import struct_dict
from asyncflow.engine.moments import moment
from asyncflow.errors import AsyncflowError
from asyncflow.store.browse import AuditLine, AuditSearch
from asyncflow.store.database import Store

log = logging.getLogger(__name__)
T = TypeVar("T")

#: what is noted among the changes when a line was added
AUDIT = " audit"
#: an action whose name begins with one of these changes something
VERBS = frozenset(
    "add answer backfill cancel change clear create delete edit emit forget import mark pause put remove reparse "
    "replace resume run save set trigger undo unpause update".split()
)
#: arguments that are columns of a line, or say nothing
_COLUMNS = frozenset({"dag_id", "run_id", "task_id", "map_index", "dry_run", "triggered_by", "actor"})
#: arguments whose values are never kept
_SECRET = frozenset({"password", "extra", "uri"})
#: arguments that hold many things by name: the names are kept
_BY_NAME = frozenset({"variables", "connections", "pools"})
#: arguments that are whole files
_FILES = frozenset({"text", "file", "content", "data"})
_LISTED, _REASONS, _LONGEST = 20, 3, 2000


class Acting(NamedTuple):
    """Who asks for what is done now."""

    via: str  #: ui or cli
    who: str = ""  #: the user, once there are users


_acting: ContextVar[Acting | None] = ContextVar("acting", default=None)
_inside: ContextVar[bool] = ContextVar("inside", default=False)


@contextmanager
def acting(via: str, who: str = "") -> Iterator[None]:
    """What is done inside is done by a person."""
    token = _acting.set(Acting(via, who))
    try:
        yield
    finally:
        _acting.reset(token)


def actor() -> str:
    """What the journal calls whoever acts now."""
    person = _acting.get()
    return "user" if person is None else person.who or person.via


def recorded(kind: type[T]) -> type[T]:
    """Have every action of a class that changes something leave a line. For a class that is an `AuditActions`."""
    for name in dir(kind):
        method = getattr(kind, name)
        if name.partition("_")[0] in VERBS and inspect.iscoroutinefunction(method):
            setattr(kind, name, _recorded(name, method))
    return kind


def _recorded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(method)
    usual = {name: parameter.default for name, parameter in signature.parameters.items()}

    @wraps(method)
    async def act(self: Any, *args: Any, **kw: Any) -> Any:
        person = _acting.get()
        if person is None or _inside.get() or kw.get("dry_run"):
            return await method(self, *args, **kw)
        given = signature.bind(self, *args, **kw).arguments  # raises the TypeError that the call would
        given = {name: value for name, value in given.items() if name != "self" and value != usual.get(name)}
        token = _inside.set(True)
        try:
            answer = await method(self, *args, **kw)
        except AsyncflowError as error:
            await self._note_audit(person, name, given, None, str(error))
            raise
        finally:
            _inside.reset(token)
        await self._note_audit(person, name, given, answer, "")
        return answer

    return act


class AuditActions:
    """The audit log: a part of `engine.actions.Actions`."""

    _store: Store
    _clock: Clock
    _changes: Changes

    async def list_audit(
        self,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        via: str | None = None,
        action: str | None = None,
        start: str | None = None,
        end: str | None = None,
        text: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """What people did, newest first; `before`: only lines older than the one with this id."""
        search = AuditSearch(
            dag_id=dag_id,
            run_id=run_id,
            task_id=task_id,
            via=via,
            action=action,
            at_from=moment(start, "start"),
            at_to=moment(end, "end"),
            text=text,
            before=before,
        )
        return [struct_dict(line) for line in await self._store.audit_lines(search, limit=limit)]

    async def _note_audit(self, person: Acting, action: str, given: dict[str, Any], answer: Any, error: str) -> None:
        """Add the line; what was done stays done if that cannot be written."""
        try:
            (text,) = await hide_secrets(self._store, [msgspec.json.encode(masked(given)).decode()])
            arguments = msgspec.json.decode(text, type=dict[str, Any])
            lines = audit_lines(person, action, given, answer, error, arguments, self._clock.now())
            await self._store.add_audit(lines)
            self._changes.noted(AUDIT)
        except Exception:  # a disk that is full, an argument nobody thought of: the answer is not to be lost over it
            log.exception("The audit log cannot be written: %s by %s", action, person.who or person.via)


def audit_lines(
    person: Acting,
    action: str,
    given: Mapping[str, Any],
    answer: Any,
    error: str,
    arguments: dict[str, Any],
    at: datetime,
) -> list[AuditLine]:
    """One line, or one for each DAG that the action was about."""
    base = AuditLine(id=0, at=at, via=person.via, who=person.who, action=action, arguments=arguments, error=error)
    result = answer if isinstance(answer, Mapping) else {}
    if given.get("dag_id") or result.get("dag_id"):
        names = {name: given.get(name) or result.get(name) or "" for name in ("dag_id", "run_id", "task_id")}
        index = given.get("map_index")
        touched = _touched(result)
        line = msgspec.structs.replace(base, **names, map_index=-1 if index is None else index, touched=touched)
        return [line]
    refused = result.get("refused")
    if refused:
        base = msgspec.structs.replace(base, error=" ".join(map(str, refused[:_REASONS])))
    touched_keys = result.get("tasks") or result.get("runs") or ()
    found: dict[str, list[Sequence[Any]]] = {}
    for key in touched_keys or given.get("keys") or given.get("runs") or ():
        found.setdefault(str(key[0]), []).append(key)
    if not found:
        return [msgspec.structs.replace(base, touched=_touched(result))]
    nothing = 0 if result else None
    return [_of_dag(base, dag_id, keys, len(keys) if touched_keys else nothing) for dag_id, keys in found.items()]


def _of_dag(base: AuditLine, dag_id: str, keys: Sequence[Sequence[Any]], touched: int | None) -> AuditLine:
    runs = {str(key[1]) for key in keys}
    what = [_name(key) for key in keys[:_LISTED]]
    arguments = {name: value for name, value in base.arguments.items() if name not in ("keys", "runs")}
    return msgspec.structs.replace(
        base,
        dag_id=dag_id,
        run_id=runs.pop() if len(runs) == 1 else "",
        arguments={**arguments, "what": what + (["..."] if len(keys) > _LISTED else [])},
        touched=touched,
    )


def _name(key: Sequence[Any]) -> str:
    if len(key) < 4:
        return str(key[1])
    return f"{key[1]}.{key[2]}" + (f"[{key[3]}]" if int(key[3]) >= 0 else "")


def _touched(result: Mapping[str, Any]) -> int | None:
    for name in ("count", "deleted_runs"):
        if isinstance(result.get(name), int):
            return int(result[name])
    if result.get("created"):
        return int(result["created"])
    imported = result.get("imported")
    return len(imported) if isinstance(imported, list) else None


def masked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they are kept: no secrets, no files, nothing long."""
    kept = {name: _kept(name, value) for name, value in given.items() if name not in _COLUMNS and value is not None}
    named = given.get("key") or given.get("name")
    if is_sensitive(named) and "value" in kept:
        kept["value"] = MASK
    return kept


def _is_secret(name: str, value: Any) -> bool:
    if name == "uri":  # that of a Connection may hold a password, that of a dataset says which one it was
        return "@" in str(value) or "?" in str(value)
    return name in _SECRET or is_sensitive(name)


def _kept(name: str, value: Any) -> Any:
    if value and _is_secret(name, value):
        return MASK
    if name in _BY_NAME and isinstance(value, Mapping):
        return sorted(map(str, value))
    if name in _FILES and isinstance(value, (str, bytes)):
        return f"{len(value)} characters"
    if name in ("keys", "runs", "tasks") and isinstance(value, (list, tuple)):
        return [_name(key) if isinstance(key, (list, tuple)) else str(key) for key in value[:_LISTED]]
    if isinstance(value, Mapping):
        return {str(inner): _kept(str(inner), one) for inner, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_kept("", one) for one in value[:_LISTED]]
    if isinstance(value, str):
        return _kept_text(value)
    if isinstance(value, (bool, int, float)) or value is None:
        return value
    return value.isoformat() if isinstance(value, datetime) else type(value).__name__


def _kept_text(text: str) -> Any:
    """A text; one that is a JSON object may have secrets in it."""
    if text.lstrip().startswith("{"):
        try:
            return _kept("", msgspec.json.decode(text))
        except msgspec.DecodeError:
            pass
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
