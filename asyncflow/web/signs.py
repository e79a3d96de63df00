"""The sign that every state has beside its colour: colour is never the only one (WCAG 1.4.1).

Drawn, not written: no font has all the characters that would be needed. Each is the path of a line in a 16 by 16 box.
The style sheet holds them as pictures, `style_rules()` of them; the graph draws the paths themselves.
"""

from __future__ import annotations

#: state of a run or task instance -> path; a state without one is an empty box
SIGNS = {
    "success": "M3 8.5l3.3 3.3L13 4.8",
    "failed": "M4 4l8 8M12 4l-8 8",
    "upstream_failed": "M8 14V5M4 9l4-4 4 4M3.5 2h9",
    "running": "M5.5 3.5v9L12.5 8z",
    "queued": "M3 8h.01M8 8h.01M13 8h.01",
    "scheduled": "M8 2.2a5.8 5.8 0 1 0 .01 0zM8 5v3.3l2 1.4",
    "up_for_retry": "M12.9 9.2A5 5 0 1 1 11.4 4.4L13 6M13 2.2V6H9.2",
    "up_for_reschedule": "M4 2.2h8L4 13.8h8z",
    "deferred": "M5.5 3.5v9M10.5 3.5v9",
    "awaiting_input": "M5.4 5.6A2.7 2.7 0 1 1 8 8.6v1.2M8 13.2h.01",
    "skipped": "M3.5 3.8L7.7 8l-4.2 4.2M8.6 3.8L12.8 8l-4.2 4.2",
    "removed": "M3.5 8h9",
    "restarting": "M12.9 9.2A5 5 0 1 1 11.4 4.4L13 6M13 2.2V6H9.2",
}
#: states whose colour is dark enough for a white sign; the theme of Airflow 2 has other colours
_WHITE = frozenset({"success", "failed", "deferred", "removed"})
_WHITE_IN_AIRFLOW2 = frozenset({"success"})


def sign(state: str | None) -> str:
    """The path; "" for no status."""
    return SIGNS.get(state or "none", "")


def _picture(path: str, colour: str) -> str:
    return (
        f"url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='none' "
        f"stroke='{colour}' stroke-width='2' stroke-linecap='round' stroke-linejoin='round'%3E"
        f"%3Cpath d='{path}'/%3E%3C/svg%3E\")"
    )


def style_rules() -> list[str]:
    """What app.css says of signs, a line each."""
    rules = [
        f".state-{state} {{ --sign: {_picture(path, 'white' if state in _WHITE else 'black')}; }}"
        for state, path in SIGNS.items()
    ]
    turned = sorted(_WHITE - _WHITE_IN_AIRFLOW2)
    return rules + [
        f'[data-colours="airflow2"] .state-{state} {{ --sign: {_picture(SIGNS[state], "black")}; }}' for state in turned
    ]
