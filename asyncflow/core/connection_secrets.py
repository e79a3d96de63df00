"""The secrets of a stored Connection and the form in which it is edited, which never gets them.

What the form leaves as it is, is filled in from what is stored. But a secret that goes to a host of one's choice can be
read there: so what is stored is used only with the server, the account and the extra that it is stored with. Who
changes one of these types the secrets again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from asyncflow.core.connections import extra_dict, to_json
from asyncflow.core.secrecy import restore
from asyncflow.core.sentence import Sentence
from asyncflow.errors import InvalidInput

Fields = Mapping[str, Any]

#: fields that say where a secret goes, or who it is sent as
_PLACE = ("conn_type", "host", "port", "login")


def filled(
    given: Fields, stored: Fields | None, forget: Sequence[str], keep: Sequence[str]
) -> tuple[dict[str, Any], list[str]]:
    """The fields of a form with the secrets that it leaves as they are, and the names of these.

    That are: an empty password, an empty extra that is no JSON object, *** in the extra, and the parts of the extra
    named in `keep`; except for the fields in `forget`. Raises ValueError for an extra that is no JSON object.
    """
    fields = {name: value for name, value in given.items() if value not in (None, "")}
    old, used = stored or {}, []
    if old.get("password") and "password" not in {*fields, *forget}:
        fields["password"] = old["password"]
        used.append("password")
    parts = extra_dict(old.get("extra"))
    kept = {name: part for name, part in parts.items() if name in keep}
    if "extra" in fields or kept:
        typed = _object(fields.get("extra", "{}"))
        restored = restore(typed, parts)
        fields["extra"] = to_json({**kept, **restored})
        used += [
            *(name for name in kept if name not in typed),
            *(name for name in typed if typed[name] != restored[name]),
        ]
    elif old.get("extra") and not parts and "extra" not in forget:
        fields["extra"] = old["extra"]
        used.append("extra")
    return fields, used


def _object(extra: Any) -> dict[str, Any]:
    found = msgspec.json.decode(extra) if isinstance(extra, str) else extra
    if not isinstance(found, dict):
        raise ValueError(Sentence('an object is needed, like {"key": "value"}'))
    return found


def check_place(used: Sequence[str], made: Fields, stored: Fields) -> None:
    """Raise InvalidInput if the secrets `used` would go elsewhere than where they are stored for."""
    changed = [name for name in _PLACE if (made[name] or None) != (stored[name] or None)]
    if _comparable(made["extra"]) != _comparable(stored["extra"]):
        changed.append("extra")
    if used and changed:
        raise InvalidInput(
            "A stored secret is used only as it was stored, and this changes {changed}: type {secrets} again.",
            changed=tuple(changed),
            secrets=tuple(used),
        )


def _comparable(extra: str | None) -> Any:
    """An extra such that the form's way of writing it makes no difference: 30 for "30", nothing for false."""
    parts = extra_dict(extra)
    if not parts:
        return (extra or "{}").strip()
    return {
        name: part if isinstance(part, dict | list) else str(part)
        for name, part in parts.items()
        if part not in (None, False, "")
    }
