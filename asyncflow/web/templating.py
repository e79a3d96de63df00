"""Templates and static files: where they are, and the two ways to answer with one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from asyncflow import __version__
from asyncflow.web import health_view, i18n, keys, preferences
from asyncflow.web.address import segment
from asyncflow.web.later import Later, Making
from asyncflow.web.security import FIELD, form_token, keep_token
from asyncflow.web.views import SoFar

#: header of a fragment: its fingerprint, for `shared`
PRINT = "asyncflow-print"
#: name of a section -> (address, key after "g"): the bar at the top of every page
SECTIONS = {
    "DAGs": ("/", "d"),
    "Runs": ("/runs", "r"),
    "Tasks": ("/tasks", "t"),
    "Datasets": ("/datasets", "s"),
    "Backfills": ("/backfills", "b"),
    "Pools": ("/pools", "p"),
    "Admin": ("/admin", "a"),
}


def _folder(name: str) -> Path:
    """`templates` or `static`: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside = package / f"_{name}"
    return inside if inside.is_dir() else package.parent / name


STATIC = _folder("static")


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(_folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(
        version=__version__,
        form_field=FIELD,
        segment=segment,
        sections=SECTIONS,
        languages=i18n.LANGUAGES,
        themes=preferences.THEMES,
        palettes=preferences.PALETTES,
        all_keys=keys.KEYS,
        zones=preferences.ZONES,
        glyph=_glyph,
    )
    env.filters.update(moment=_moment, stamp=_stamp, duration=_duration, relative=_relative, segment=segment, iso=_iso)
    return env


def _glyph(_state: str | None) -> Markup:
    """The sign of the state that the element around it has as its class."""
    return Markup('<span class="glyph"></span>')


def _when(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) and value else value or None


@pass_context
def _moment(context: Context, value: str | datetime | None) -> str:
    """A moment in the zone of the page; "" for none."""
    when = _when(value)
    return preferences.moment_text(when, context["zone"]) if when else ""


@pass_context
def _stamp(context: Context, value: str | datetime | None) -> Markup:
    """The same, with the zone in a piece of its own: tables hide it, as the top of the page says it."""
    day, clock, zone = _moment(context, value).split(" ", 2)
    return Markup('{} {}<span class="zone"> {}</span>').format(day, clock, zone)


@pass_context
def _duration(context: Context, seconds: float | None) -> str:
    """Seconds in the reader's language; "" for none. The page counts on those of what goes on."""
    if isinstance(seconds, SoFar):
        text = Markup('<time class="lasting" datetime="{}">{}</time>')
        return text.format(seconds.since.isoformat(), context["_"].so_far(seconds))
    return str(context["_"].duration(seconds))


@pass_context
def _relative(context: Context, value: str | datetime | None) -> str:
    """How long from now, or ago; "" for none."""
    when = _when(value)
    return str(context["_"].relative(when, context["now"])) if when else ""


def _iso(value: str | datetime | None) -> str:
    """For the machine: the `datetime` of a `<time>`."""
    return value.isoformat() if isinstance(value, datetime) else value or ""


_env = _environment()


def prepare() -> None:
    """Compile all templates, so that no request waits for it."""
    for name in _env.list_templates():
        _env.get_template(name)


def language(request: Request, dag_zone: str | None = None) -> i18n.Language:
    """The reader's; `dag_zone` is that of the page's DAG, if it has one."""
    wishes = preferences.preferences(request)
    return i18n.Language(wishes.language, wishes.zone_of(dag_zone))


async def render(request: Request, name: str, context: dict[str, Any]) -> str:
    """A template with what every page has: language, zone, the form token, where the reader is."""
    making: Making = request.app.state.making
    return await making.text(request.scope, _filled(request, name, context))


def _later(request: Request, name: str, context: dict[str, Any], status_code: int = 200) -> Response:
    return Later(_filled(request, name, context), request.app.state.making, status_code)


def _filled(request: Request, name: str, context: dict[str, Any]) -> Callable[[], Iterator[str]]:
    """What fills a template; all that it needs is read now."""
    wishes = preferences.preferences(request)
    zone = wishes.zone_of(context.get("dag_zone") or getattr(context.get("head"), "timezone", None))
    return partial(
        _env.get_template(name).generate,
        {
            "_": i18n.Language(wishes.language, zone),
            "wishes": wishes,
            "zone": zone,
            "now": datetime.now(UTC),
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "form_token": form_token(request),
            "alarms": health_view.urgent(request.app.state.actions.server.alarms(), i18n.Language(wishes.language)),
            "asking": request.app.state.actions.instances.asking,
            "section": "DAGs" if "head" in context else "",
            "stream": _stream(request, _topics(context)),
            **context,
        },
    )


def _topics(context: dict[str, Any]) -> dict[str, str]:
    """What a page wants to hear of; the pages of a DAG hear of the DAG."""
    head = context.get("head")
    topics: dict[str, str] = context.get("topics") or ({"dag": head.dag_id} if head else {})
    return topics


def _stream(request: Request, topics: dict[str, str]) -> str:
    """Address of the page's event stream: what changed after this request began comes through it."""
    return f"/events?{urlencode({'since': getattr(request.state, 'mark', ''), **topics})}"


def page(request: Request, name: str, /, *, status_code: int = 200, **context: Any) -> Response:
    """A whole page."""
    response = _later(request, name, context, status_code)
    if "fingerprint" in context:
        response.headers[PRINT] = context["fingerprint"]
    keep_token(request, response)
    return response


def dialog(request: Request, name: str, /, **context: Any) -> Response:
    """A page that is a dialog over another page when a script asks for it."""
    layout = "bare.html" if request.headers.get("HX-Request") else "base.html"
    response = page(request, name, layout=layout, **context)
    response.headers["Vary"] = "HX-Request"
    return response


def fragment(request: Request, name: str, /, **context: Any) -> Response:
    """One fragment for a page that was told of a change: 204 without a body when the page has it already."""
    if has(request, name, context["fingerprint"]):
        return unchanged()
    response = _later(request, name, context)
    response.headers[PRINT] = context["fingerprint"]
    keep_token(request, response)
    return response


def bare(request: Request, name: str, /, **context: Any) -> Response:
    """One fragment, as it is."""
    return _later(request, name, context)


def has(request: Request, name: str, have: str) -> bool:
    """Whether the page has a fragment as it would be made now; a whole page is always made.

    It says what it has in `?have=`, the fingerprint that the fragment carries in the address it is fetched from.
    """
    return name.rpartition("/")[2].startswith("_") and request.query_params.get("have") == have


def unchanged() -> Response:
    """To a page that has what it asks for."""
    return Response(status_code=204)


def fingerprint(*values: Any) -> str:
    """A short name of what a fragment shows; equal values give an equal name."""
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()
