"""Golden cases that do not pass yet, by id, each with the reason. Empty is the aim."""

from __future__ import annotations

NOT_YET: dict[str, str] = {}
