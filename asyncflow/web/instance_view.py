"""What the page of a task instance shows of XComs and of what it waits for. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from asyncflow.core.models import TaskKey
from asyncflow.engine.instance_pages import Blockers, XComHead
from asyncflow.web import address
from asyncflow.web.views import instance_name

#: what the keys of XComs begin with that are extra links of operators
LINK = "_link_"
#: how values that JSON has no type for are written (`authoring.xcom`)
_TAGGED = re.compile(r'\{"__classname__": ?"([^"]+)"')
_TYPES = {"{": "dict", "[": "list", '"': "str", "t": "bool", "f": "bool", "n": "None"}
#: addresses that a link may lead to; `javascript:` and the like are shown as text
_SAFE = re.compile(r"https?://|/(?!/)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class XCom:
    """One row of the table of XComs."""

    key: str
    kind: str  #: its type, in Python's words
    size: int
    text: str
    cut: bool  #: there is more
    at: datetime
    href: str  #: the whole value


@dataclass(frozen=True, slots=True)
class Link:
    """Something that a page leads to."""

    name: str
    href: str


def xcoms(heads: Sequence[XComHead], path: str, copy: str, most: int) -> list[XCom]:
    """What a task pushed, but for links."""
    return [_xcom(row, path, copy, most) for row in heads if not row.key.startswith(LINK)]


def _xcom(row: XComHead, path: str, copy: str, most: int) -> XCom:
    cut = row.size > most
    value: Any = None
    if not cut:
        try:
            value = msgspec.json.decode(row.head)
        except msgspec.DecodeError:
            value = None
    tagged = _TAGGED.match(row.head)
    kind = tagged[1].rpartition(".")[2] if tagged else _TYPES.get(row.head[:1], "float" if "." in row.head else "int")
    if isinstance(value, list) or (isinstance(value, dict) and not tagged):
        kind = f"{kind}, {len(value)}"
    href = f"{path}/xcom{address.query({'map_index': copy.partition('=')[2]}, key=row.key)}"
    return XCom(key=row.key, kind=kind, size=row.size, text=_text(row.head, value, cut), cut=cut, at=row.at, href=href)


def _text(head: str, value: Any, cut: bool) -> str:
    """A string as it is, anything else as JSON with indents, tagged values in it as what they hold; of a long one, a
    part."""
    if cut and head.startswith('"'):
        try:
            return msgspec.json.decode(head.rstrip("\\") + '"', type=str)
        except (msgspec.DecodeError, msgspec.ValidationError):  # cut in the midst of an escape
            return head
    if cut or value is None:
        return head
    if '"__classname__"' not in head:
        return value if isinstance(value, str) else msgspec.json.format(head.encode()).decode()
    held = _held(value)
    return held if isinstance(held, str) else msgspec.json.format(msgspec.json.encode(held)).decode()


def _held(value: Any) -> Any:
    """A value without the tags of `authoring.xcom`: a tuple as a list, a datetime as its text."""
    if isinstance(value, list):
        return [_held(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "__classname__" not in value or "__data__" not in value:
        return {name: _held(one) for name, one in value.items()}
    data = value["__data__"]
    return data["text"] if isinstance(data, dict) and data.keys() == {"text", "tz"} else _held(data)


def links(heads: Sequence[XComHead]) -> list[Link]:
    """The extra links of the operator, as the last try left them."""
    found: dict[str, Link] = {}
    for row in heads:
        if row.key.startswith(LINK):
            name = row.key.removeprefix(LINK)
            try:
                href = msgspec.json.decode(row.head, type=str)
            except (msgspec.DecodeError, msgspec.ValidationError):
                continue
            if _SAFE.match(href):
                found.setdefault(name, Link(name, href))
    return list(found.values())


def waits_for(blockers: Blockers, here: TaskKey) -> list[Link]:
    """Links to what an instance waits for; those elsewhere say where."""
    found = [Link(blockers.pool, f"/pools/{address.segment(blockers.pool)}")] if blockers.pool else []
    for key in blockers.tasks:
        name = instance_name(key.task_id, key.map_index)
        if key.dag_id != here.dag_id:
            name = f"{key.dag_id}.{name}"
        if (key.dag_id, key.run_id) != (here.dag_id, here.run_id):
            name = f"{name} ({key.run_id})"
        found.append(Link(name, address.task_path(*key)))
    return found + [Link(run_id, address.run_path(dag_id, run_id)) for dag_id, run_id in blockers.runs]
