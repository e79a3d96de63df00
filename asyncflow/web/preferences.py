"""How a reader wants pages: language, theme, time zone. Kept in cookies; nothing of it is secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.web import i18n, keys
from asyncflow.web.security import checked_form

LANGUAGE, THEME, ZONE, KEYS = "asyncflow_language", "asyncflow_theme", "asyncflow_zone", "asyncflow_keys"
COLOURS, KEYMAP = "asyncflow_colours", "asyncflow_keymap"
#: set by app.js: the IANA name of the browser's own zone
BROWSER_ZONE = "asyncflow_browser_zone"

THEMES = {"system": "System", "light": "Light", "dark": "Dark"}
#: of states: ours can be told apart by everybody; those of Airflow 2 are for people who are used to them
PALETTES = {"asyncflow": "asyncflow", "airflow2": "Airflow 2"}
ZONES = {"utc": "UTC", "browser": "Browser", "dag": "DAG"}
_A_YEAR = 365 * 86400


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a request asks for."""

    language: str
    theme: str
    colours: str  #: a key of PALETTES
    zone: str  #: a key of ZONES
    browser_zone: str  #: "" while it is not known
    keys: bool  #: whether single letters are shortcuts (WCAG 2.1.4: they can be turned off)
    own_keys: Mapping[str, str]  #: see `keys.chosen`

    def zone_of(self, dag_zone: str | None) -> ZoneInfo:
        """The zone in which moments are shown on a page; `dag_zone` is that of the page's DAG, if it has one."""
        name = {"browser": self.browser_zone, "dag": dag_zone}.get(self.zone)
        return _zone(name) if name else _zone("UTC")

    def key_for(self, key: str) -> str:
        """The reader's own key for what `key` usually does; "" for none."""
        return self.own_keys.get(key, key)

    @property
    def keymap(self) -> str:
        """For the page's script: what pressed keys stand for, as JSON; "" when no key is changed."""
        return keys.as_json(self.own_keys)

    @property
    def key(self) -> tuple[str, ...]:
        """Equal for readers who get the same text."""
        return self.language, self.zone, self.browser_zone


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or one too long
        return ZoneInfo("UTC")


def preferences(request: Request) -> Preferences:
    """What the cookies of a request say."""
    cookies = request.cookies
    theme, zone = cookies.get(THEME, ""), cookies.get(ZONE, "")
    return Preferences(
        language=i18n.chosen(cookies.get(LANGUAGE), request.headers.get("accept-language", "")),
        theme=theme if theme in THEMES else "system",
        colours=colours if (colours := cookies.get(COLOURS, "")) in PALETTES else "asyncflow",
        zone=zone if zone in ZONES else "utc",
        browser_zone=unquote(cookies.get(BROWSER_ZONE, ""))[:64],
        keys=cookies.get(KEYS) != "off",
        own_keys=keys.chosen(unquote(cookies.get(KEYMAP, ""))),
    )


def moment_text(when: datetime, zone: ZoneInfo) -> str:
    """`2024-01-31 10:00:00 UTC`, with the zone's short name at that moment."""
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


async def save(request: Request) -> Response:
    """Take over what the form says, then back to the page it was on."""
    form = await checked_form(request)
    response = RedirectResponse(local_path(str(form.get("back", ""))), status_code=303)
    for field, cookie, accepted in (
        ("language", LANGUAGE, i18n.LANGUAGES),
        ("theme", THEME, THEMES),
        ("colours", COLOURS, PALETTES),
        ("zone", ZONE, ZONES),
        ("keys", KEYS, ("on", "off")),
    ):
        value = form.get(field)
        if value in accepted:
            keep(request, response, cookie, str(value))
    return response


def keep(request: Request, response: Response, cookie: str, value: str) -> None:
    """Let the browser keep a preference."""
    secure = request.url.scheme == "https"
    response.set_cookie(cookie, quote(value), max_age=_A_YEAR, samesite="lax", secure=secure)


def local_path(text: str) -> str:
    """An address on this server, "/" for any other: a form may not lead elsewhere."""
    parts = urlsplit(text.replace("\\", "/"))
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or parts.path.startswith("//"):
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


ROUTES = (Route("/preferences", save, methods=["POST"], name="preferences"),)
