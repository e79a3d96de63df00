"""BaseOperatorLink: extra links on a task's page."""

from __future__ import annotations

from typing import Any, ClassVar


class BaseOperatorLink:
    """Subclasses set `name` and define `get_link`."""

    operators: ClassVar[list[type]] = []
    name: str = ""

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """The address for one task instance."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_link().")
