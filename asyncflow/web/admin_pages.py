"""The pages about the server: health, configuration, plugins, its log, versions; and the list of them all."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from asyncflow.core.inventory import Inventory
from asyncflow.core.sentence import told
from asyncflow.engine.server_pages import ChildFailed
from asyncflow.engine.serverlog import LEVELS, OLDER
from asyncflow.errors import NotFound
from asyncflow.web import address, admin_view, health_view
from asyncflow.web.admin_view import PLACES
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import bare, fingerprint, fragment, language, page

#: records of the log that a page shows, and that come at a time while it grows
_RECORDS, _MORE = 500, 200


def _frame(here: str) -> dict[str, Any]:
    """What every one of these pages has."""
    return {"section": "Admin", "places": PLACES, "at": here, "size": admin_view.size_text}


async def index(request: Request) -> Response:
    """All pages of the administration."""
    it = await actions_of(request).server.vitals()
    wrong = health_view.problems(it, language(request))
    return page(request, "admin/index.html", wrong=wrong, **_frame("/admin"))


# ---- health ---------------------------------------------------------------------------------------------------------


async def health(request: Request) -> Response:
    """How the server is."""
    return page(request, "admin/health.html", topics={"server": "1"}, **await _health(request))


async def health_now(request: Request) -> Response:
    """The same, for a page that shows it."""
    return fragment(request, "admin/_health.html", **await _health(request))


async def _health(request: Request) -> dict[str, Any]:
    it, _ = await actions_of(request).server.vitals(), language(request)
    return {
        **_frame("/admin/health"),
        "it": it,
        "wrong": health_view.problems(it, _),
        "waits": health_view.wait_lines(it, _),
        "processes": health_view.process_lines(it, _),
        "columns": health_view.chart(it.history, _),
        "rules": health_view.lines(),
        "view": health_view,
        "tabs_open": request.app.state.live.open_tabs,
        "fingerprint": fingerprint(it.now),
    }


# ---- set-up ---------------------------------------------------------------------------------------------------------


async def config(request: Request) -> Response:
    """Every setting."""
    server, params = actions_of(request).server, request.query_params
    text, only = params.get("q", "").strip(), params.get("only", "") == "set"
    found = server.settings()
    return page(
        request,
        "admin/config.html",
        lines=admin_view.setting_lines(found, text, only, language(request)),
        count=len(found),
        text=text,
        only=only,
        unused=server.unused_variables(),
        **_frame("/admin/config"),
    )


async def plugins(request: Request) -> Response:
    """Plugins and provider packages."""
    server, _ = actions_of(request).server, language(request)
    trouble, found = "", Inventory()
    try:
        found = await server.inventory()
    except ChildFailed as error:
        trouble = told(error)
    return page(
        request,
        "admin/plugins.html",
        plugins=[(plugin, admin_view.provided(plugin, _)) for plugin in found.plugins],
        providers=found.providers,
        errors=[text.partition("\n")[::2] for text in found.errors],
        trouble=trouble,
        folder=server.plugins_folder,
        **_frame("/admin/plugins"),
    )


async def about(request: Request) -> Response:
    """Versions, places, licences."""
    return page(request, "admin/about.html", facts=actions_of(request).server.about(), **_frame("/admin/about"))


# ---- the server's log -----------------------------------------------------------------------------------------------


async def log(request: Request) -> Response:
    """The last records; live while they are those of the file that is written."""
    server, params = actions_of(request).server, dict(request.query_params)
    asked = _asked(request)
    number = address.number(params, "part", 0, most=OLDER)
    before = address.number(params, "before", 0, most=2**40) or None
    found = await server.read_log(number, **asked, before=before, limit=_RECORDS)
    first = found.records[0].at if found.records else 0
    return page(
        request,
        "admin/log.html",
        topics={"serverlog": "1"} if number == 0 and before is None else {},
        found=found,
        asked=asked,
        levels=LEVELS,
        parts=server.log.parts(),
        number=number,
        older=address.query(params, before=first) if found.has_older else "",
        newest=address.query(params, before=None) or "?" if before else "",
        live=number == 0 and before is None,
        query=_query(asked),
        path=server.log.path,
        **_frame("/admin/log"),
    )


def _asked(request: Request) -> dict[str, str]:
    params = request.query_params
    return {"least": address.choice(params, "level", LEVELS) or "", "find": params.get("q", "").strip()}


def _query(asked: dict[str, str]) -> str:
    return address.query({"q": asked["find"], "level": asked["least"]}).removeprefix("?")


async def log_more(request: Request) -> Response:
    """What was written after the byte `from`."""
    after = address.number(request.query_params, "from", 0, most=2**40)
    asked = _asked(request)
    found = await actions_of(request).server.read_log(0, **asked, after=after, limit=_MORE)
    return bare(request, "admin/_log_more.html", found=found, query=_query(asked))


async def log_text(request: Request) -> Response:
    """A whole part, as a file."""
    server = actions_of(request).server
    number = address.number(request.query_params, "part", 0, most=OLDER)
    if number not in dict(server.log.parts()):
        raise NotFound("part of the server's log", str(number))
    found = await server.read_log(number, limit=10_000_000)
    text = "".join(f"[{r.time}] {{{r.logger}}} {r.level.upper()} - {r.text}\n" for r in found.records)
    name = server.log.part(number).name
    return PlainTextResponse(text, headers={"Content-Disposition": f'attachment; filename="{name}"'})


ROUTES = (
    Route("/admin", index, name="admin"),
    Route("/admin/health", health, name="admin_health"),
    Route("/admin/health/now", health_now, name="admin_health_now"),
    Route("/admin/config", config, name="admin_config"),
    Route("/admin/plugins", plugins, name="admin_plugins"),
    Route("/admin/log", log, name="admin_log"),
    Route("/admin/log/more", log_more, name="admin_log_more"),
    Route("/admin/log/text", log_text, name="admin_log_text"),
    Route("/admin/about", about, name="admin_about"),
)
