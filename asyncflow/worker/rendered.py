"""The rendered template fields of a task as the UI shows them: JSON values, secrets masked, long ones cut."""

from __future__ import annotations

import json
from typing import Any

from asyncflow.authoring.conf import conf
from asyncflow.authoring.masking import redact


def rendered_fields(task: Any) -> dict[str, Any]:
    """Field name -> JSON value, for all template fields of a task whose templates are rendered."""
    longest = conf.getint("core", "max_templated_field_length", fallback=4096)
    return {name: _shown(getattr(task, name, None), name, longest) for name in task.template_fields}


def _shown(value: Any, name: str, longest: int) -> Any:
    shown = redact(value, name)
    try:
        text = json.dumps(shown, allow_nan=False)
        shown = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        text = shown = str(shown)
    if len(text) <= longest:
        return shown
    start = str(shown)[: max(0, longest - 100)]
    return f"Truncated. You can change this behaviour in [core]max_templated_field_length. {start!r}... "
