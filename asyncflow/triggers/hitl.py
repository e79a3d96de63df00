"""The trigger of operators that ask a person. The answer does not come from it: the server hands it to the task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from asyncflow.authoring.triggers import BaseTrigger, TriggerEvent
from asyncflow.triggers.temporal import DateTimeTrigger


class HITLTrigger(BaseTrigger):
    """Waits for `moment`, for ever without one; then fires with the defaults, or with an error if there are none.

    The rest of its arguments are what the page of the task instance asks (`core.asking`), in JSON types.
    """

    def __init__(
        self,
        *,
        subject: str,
        options: Sequence[str],
        body: str | None = None,
        params: Mapping[str, Mapping[str, Any]] | None = None,
        defaults: Sequence[str] | None = None,
        multiple: bool = False,
        assigned: Sequence[str] = (),
        moment: str | None = None,
    ) -> None:
        super().__init__()
        self.asked: dict[str, Any] = {
            "subject": subject,
            "body": body,
            "options": list(options),
            "params": {name: dict(param) for name, param in (params or {}).items()},
            "defaults": None if defaults is None else list(defaults),
            "multiple": multiple,
            "assigned": list(assigned),
            "moment": moment,
        }
        self.moment = datetime.fromisoformat(moment) if moment else None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{type(self).__module__}.HITLTrigger", self.asked

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.moment is None:
            await asyncio.Event().wait()
        else:
            await DateTimeTrigger(self.moment).wait()
        yield self.event()

    def event(self) -> TriggerEvent:
        """What it fires with when nobody has answered."""
        if self.asked["defaults"] is None:
            error = "The timeout has passed, and the response has not been received."
            return TriggerEvent({"error": error, "error_type": "timeout"})
        values = {name: param.get("value") for name, param in self.asked["params"].items()}
        return TriggerEvent({"chosen_options": self.asked["defaults"], "params_input": values, "timedout": True})
