"""`Connection`: where and how to reach another system; what `BaseHook.get_connection` and `conn.<id>` give.

A connection comes from the environment (`AIRFLOW_CONN_<ID>`, as URI or JSON) or from the server.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from asyncflow.authoring.api import current_api
from asyncflow.authoring.exceptions import AirflowException, AirflowNotFoundException
from asyncflow.authoring.masking import mask_secret
from asyncflow.config import secret_from_environment

#: the query parameter that holds an extra which is no flat dict of texts
EXTRA_KEY = "__extra__"


class Connection:
    """Given by parts or by `uri`, not by both. `extra` is JSON text, or a dict that is made one."""

    EXTRA_KEY = EXTRA_KEY

    def __init__(
        self,
        conn_id: str | None = None,
        conn_type: str | None = None,
        description: str | None = None,
        host: str | None = None,
        login: str | None = None,
        password: str | None = None,
        schema: str | None = None,
        port: int | str | None = None,
        extra: str | dict[str, Any] | None = None,
        uri: str | None = None,
    ) -> None:
        self.conn_id, self.conn_type, self.description = conn_id, conn_type, description
        self.host, self.login, self.password, self.schema = host, login, password, schema
        self.port = int(port) if port not in (None, "") else None
        self.extra: str | None = json.dumps(extra) if isinstance(extra, dict) else extra
        if uri:
            if conn_type or host or login or password or schema or port or extra:
                raise AirflowException("Connection: give either a uri or the single values, not both")
            self._read_uri(uri)
        self._hide_secrets()

    def _hide_secrets(self) -> None:
        if self.password:
            mask_secret(self.password)
            mask_secret(quote(self.password))
        if self.extra:
            mask_secret(self.extra_dejson)

    def _read_uri(self, uri: str) -> None:
        """type://login:password@host:port/schema?extra; the host may have a protocol of its own: http://https://host."""
        head, _, rest = uri.partition("://")
        protocol = ""
        if "://" in rest:
            protocol, _, rest = rest.partition("://")
            if "://" in rest or "@" in protocol or ":" in protocol:
                raise AirflowException("Connection: this uri is not valid (too many '://')")
        parts = urlsplit(f"//{rest}")
        self.conn_type = "postgres" if head == "postgresql" else head.replace("-", "_")
        host = unquote(parts.hostname or "")
        self.host = f"{protocol}://{host}" if protocol and host else host
        self.schema = unquote(parts.path[1:])
        self.login = unquote(parts.username) if parts.username else parts.username
        self.password = unquote(parts.password) if parts.password else parts.password
        self.port = parts.port
        if parts.query:
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            self.extra = query.get(EXTRA_KEY) or json.dumps(query)

    def get_uri(self) -> str:
        """The connection as one URI, password included."""
        uri = f"{self.conn_type.lower().replace('_', '-')}://" if self.conn_type else "//"
        protocol, _, host = (self.host or "").rpartition("://")
        if protocol:
            uri += f"{protocol}://"
        who = quote(self.login, safe="") if self.login is not None else ""
        if self.password is not None:
            who += ":" + quote(self.password, safe="")
        if who:
            uri += f"{who}@"
        uri += quote(host, safe="")
        if self.port:
            uri += f":{self.port}" if host or who else f"@:{self.port}"
        if self.schema:
            uri += "/" + quote(self.schema, safe="")
        return uri + self._query()

    def _query(self) -> str:
        if not self.extra:
            return ""
        flat = self.extra_dejson
        query = urlencode(flat) if isinstance(flat, dict) else ""
        if not query or dict(parse_qsl(query, keep_blank_values=True)) != flat:
            query = urlencode({EXTRA_KEY: self.extra})
        return ("?" if self.schema else "/?") + query

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """`extra` as a dict; empty if there is none or it is no JSON."""
        if not self.extra:
            return {}
        try:
            found = json.loads(self.extra)
        except json.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def get_extra_dejson(self, nested: bool = False) -> dict[str, Any]:
        """`extra` as a dict; with `nested`, values that are JSON texts are read, too."""
        extra = self.extra_dejson
        if nested:
            for key, value in extra.items():
                if isinstance(value, str):
                    try:
                        extra[key] = json.loads(value)
                    except json.JSONDecodeError:
                        continue
        return extra

    def get_password(self) -> str | None:
        return self.password

    def set_password(self, value: str | None) -> None:
        self.password = value
        self._hide_secrets()

    def get_extra(self) -> str | None:
        return self.extra

    def set_extra(self, value: str | None) -> None:
        self.extra = value

    def as_json(self) -> str:
        """The fields that are set, without conn_id, as JSON; `extra` as an object."""
        names = ("conn_type", "description", "host", "login", "password", "schema", "port")
        data: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name)}
        if self.extra:
            data["extra"] = self.extra_dejson or self.extra
        return json.dumps(data)

    def to_dict(self) -> dict[str, Any]:
        """conn_id and all fields; `extra` as an object."""
        names = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port")
        return {name: getattr(self, name) for name in names} | {"extra": self.extra_dejson}

    @classmethod
    def from_json(cls, value: str, conn_id: str | None = None) -> Connection:
        """The connection that `as_json` wrote. Raises AirflowException if the text is no JSON object."""
        data = json.loads(value)
        if not isinstance(data, dict):
            raise AirflowException(f"Connection {conn_id!r}: the JSON must be an object")
        data.pop("conn_id", None)
        return cls(conn_id=conn_id, **data)

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """The connection of this name. Raises AirflowNotFoundException."""
        text = secret_from_environment("CONN", conn_id)
        if text is not None:
            if text.lstrip().startswith("{"):
                return cls.from_json(text, conn_id=conn_id)
            return cls(conn_id=conn_id, uri=text)
        fields = current_api().connection_get(conn_id)
        if fields is None:
            raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")
        return cls(conn_id=conn_id, **{key: value for key, value in fields.items() if key != "conn_id"})

    @classmethod
    def get_connection_from_secrets(cls, conn_id: str) -> Connection:
        """Airflow 2's name of `get`."""
        return cls.get(conn_id)

    def __repr__(self) -> str:
        return self.conn_id or ""
