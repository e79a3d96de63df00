"""The answer to a form of which a part could not be done."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from asyncflow.web.templating import dialog

#: sentences that are shown
_LISTED = 20


def partly_done(
    request: Request, failures: Sequence[str], done: int, back: str, section: str, label: str = ""
) -> Response:
    """How many were done, and why the others were not; `back` leads to the list, which is called `label`."""
    return dialog(
        request,
        "dialogs/failures.html",
        status_code=409,
        failures=failures[:_LISTED],
        more=max(0, len(failures) - _LISTED),
        done=done,
        back=back,
        label=label or section,
        section=section,
    )
