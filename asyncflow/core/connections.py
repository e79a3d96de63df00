"""Connections as data: the eight fields, the URI and the JSON they are written in, as in Airflow.

The fields, all optional: conn_type, description, host, login, password, schema (texts), port (int), extra (JSON text).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

from asyncflow.core.sentence import Sentence

#: the query parameter that holds an extra which is no flat dict of texts
EXTRA_KEY = "__extra__"

FIELDS = ("conn_type", "description", "host", "login", "password", "schema", "port", "extra")
#: other names that JSON of a connection may use
_OTHER_NAMES = {"extra_dejson": "extra", "type": "conn_type", "user": "login", "username": "login"}


def from_uri(uri: str) -> dict[str, Any]:
    """The fields of type://login:password@host:port/schema?extra. Raises ValueError with a sentence.

    The host may have a protocol of its own: http://https://host.
    """
    head, _, rest = uri.partition("://")
    protocol = ""
    if "://" in rest:
        protocol, _, rest = rest.partition("://")
        if "://" in rest or "@" in protocol or ":" in protocol:
            raise ValueError(Sentence("this uri is not valid (too many '://')"))
    parts = urlsplit(f"//{rest}")
    host = unquote(parts.hostname or "")
    fields = {
        "conn_type": "postgres" if head == "postgresql" else head.replace("-", "_"),
        "host": f"{protocol}://{host}" if protocol and host else host,
        "schema": unquote(parts.path[1:]),
        "login": unquote(parts.username) if parts.username else parts.username,
        "password": unquote(parts.password) if parts.password else parts.password,
        "port": parts.port,
    }
    if parts.query:
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        fields["extra"] = query.get(EXTRA_KEY) or to_json(query)
    return fields


def from_json(value: str | Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a JSON object, or of its text; `extra` may be an object there. Raises ValueError.

    A conn_id in it is left out: the name is said elsewhere.
    """
    found = _decoded(value)
    fields: dict[str, Any] = {}
    for name, given in found.items():
        field = _OTHER_NAMES.get(name, name)
        if field == "conn_id" or given is None:
            continue
        if field not in FIELDS:
            raise ValueError(
                Sentence("there is no field {name!r}; a connection has {fields}", name=name, fields=FIELDS)
            )
        fields[field] = given
    extra = fields.get("extra")
    if extra is not None and not isinstance(extra, str):
        fields["extra"] = to_json(extra)
    if "port" in fields:
        fields["port"] = _port(fields["port"])
    return fields


def from_text(text: str) -> dict[str, Any]:
    """The fields of a text that is JSON if it begins with a brace, else a URI. Raises ValueError."""
    return from_json(text) if text.lstrip().startswith("{") else from_uri(text)


def to_uri(fields: Mapping[str, Any]) -> str:
    """The connection as one URI, password included."""
    conn_type = fields.get("conn_type")
    uri = f"{conn_type.lower().replace('_', '-')}://" if conn_type else "//"
    protocol, _, host = (fields.get("host") or "").rpartition("://")
    if protocol:
        uri += f"{protocol}://"
    login, password, port = fields.get("login"), fields.get("password"), fields.get("port")
    who = quote(login, safe="") if login is not None else ""
    if password is not None:
        who += ":" + quote(password, safe="")
    if who:
        uri += f"{who}@"
    uri += quote(host, safe="")
    if port:
        uri += f":{port}" if host or who else f"@:{port}"
    schema = fields.get("schema")
    if schema:
        uri += "/" + quote(schema, safe="")
    return uri + _query(fields.get("extra"), after_schema=bool(schema))


def _query(extra: str | None, *, after_schema: bool) -> str:
    if not extra:
        return ""
    flat = extra_dict(extra)
    query = urlencode(flat)
    if not query or dict(parse_qsl(query, keep_blank_values=True)) != flat:
        query = urlencode({EXTRA_KEY: extra})
    return ("?" if after_schema else "/?") + query


def extra_dict(extra: str | None) -> dict[str, Any]:
    """`extra` as a dict; empty if there is none or it is no JSON object."""
    if not extra:
        return {}
    try:
        found = msgspec.json.decode(extra)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def to_json(value: Any) -> str:
    """JSON as Airflow writes it: a blank after commas and colons. Raises ValueError for what has no JSON form."""
    try:
        text = msgspec.json.encode(value)
    except TypeError as error:
        raise ValueError(Sentence("extra is not JSON: {error}", error=str(error))) from None
    return msgspec.json.format(text, indent=0).decode()


def _decoded(value: str | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError as error:
            raise ValueError(Sentence("the text is not JSON: {error}", error=str(error))) from None
    if not isinstance(value, Mapping):
        raise ValueError(Sentence("the JSON must be an object"))
    return value


def _port(port: Any) -> int | None:
    if port is None or port == "":
        return None
    try:
        return int(port)
    except (TypeError, ValueError):
        raise ValueError(Sentence("port={port!r} is not a whole number", port=port)) from None
