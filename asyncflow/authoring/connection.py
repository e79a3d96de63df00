"""`Connection`: where and how to reach another system; what `BaseHook.get_connection` and `conn.<id>` give.

A connection comes from the environment (`AIRFLOW_CONN_<ID>`, as URI or JSON) or from the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from asyncflow.authoring.api import current_api
from asyncflow.authoring.exceptions import AirflowException, AirflowNotFoundException
from asyncflow.authoring.masking import mask_secret
from asyncflow.config import secret_from_environment
from asyncflow.core import connections as data


class Connection:
    """Given by parts or by `uri`, not by both. `extra` is JSON text, or a dict that is made one."""

    EXTRA_KEY = data.EXTRA_KEY

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
        self.extra: str | None = data.to_json(extra) if isinstance(extra, dict) else extra
        if uri:
            if conn_type or host or login or password or schema or port or extra:
                raise AirflowException("Connection: give either a uri or the single values, not both")
            self._fill(lambda: data.from_uri(uri))
        self._hide_secrets()

    def _fill(self, read: Callable[[], dict[str, Any]]) -> None:
        try:
            fields = read()
        except ValueError as error:
            raise AirflowException(f"Connection {self.conn_id!r}: {error}") from None
        for name, value in fields.items():
            setattr(self, name, value)

    def _hide_secrets(self) -> None:
        if self.password:
            mask_secret(self.password)
            mask_secret(quote(self.password))
        if self.extra:
            mask_secret(self.extra_dejson)

    def get_uri(self) -> str:
        """The connection as one URI, password included."""
        return data.to_uri(vars(self))

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """`extra` as a dict; empty if there is none or it is no JSON."""
        return data.extra_dict(self.extra)

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
        fields: dict[str, Any] = {name: getattr(self, name) for name in data.FIELDS if getattr(self, name)}
        if self.extra:
            fields["extra"] = self.extra_dejson or self.extra
        return json.dumps(fields)

    def to_dict(self) -> dict[str, Any]:
        """conn_id and all fields; `extra` as an object."""
        fields = {name: getattr(self, name) for name in data.FIELDS}
        return {"conn_id": self.conn_id, **fields, "extra": self.extra_dejson}

    @classmethod
    def from_json(cls, value: str, conn_id: str | None = None) -> Connection:
        """The connection that `as_json` wrote. Raises AirflowException if the text is no JSON object."""
        made = cls(conn_id)
        made._fill(lambda: data.from_json(value))
        made._hide_secrets()
        return made

    def get_hook(self, *, hook_params: dict[str, Any] | None = None) -> Any:
        """The hook of its conn_type, of those that installed providers offer. Raises AirflowException."""
        from asyncflow.authoring.providers import hook_of

        return hook_of(self, hook_params or {})

    def test_connection(self) -> tuple[bool, str]:
        """(did it work, what to say), by the hook's own test."""
        try:
            hook = self.get_hook()
            if not hasattr(hook, "test_connection"):
                return False, f"Hook {type(hook).__name__} doesn't implement or inherit test_connection method"
            worked, message = hook.test_connection()
        except Exception as error:
            return False, str(error)
        return bool(worked), str(message)

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
