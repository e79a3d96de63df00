"""The graph page of a DAG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunState
from asyncflow.engine.dag_pages import CellPart, DagPages, GridWindow, NumberedRun, StoredDag
from asyncflow.web import address, dag_tree, graph_marks, graph_view, views
from asyncflow.web.dag_grid import LIT
from asyncflow.web.dag_head import head
from asyncflow.web.dag_tree import Line
from asyncflow.web.forecast import Forecast, Insight, forecast, insight
from asyncflow.web.graph_layout import Layout
from asyncflow.web.i18n import Language
from asyncflow.web.kept import Kept
from asyncflow.web.later import beside
from asyncflow.web.laying import laid_out
from asyncflow.web.ports import actions_of
from asyncflow.web.preferences import moment_text, preferences
from asyncflow.web.templating import fingerprint, has, language, page, unchanged

_RUNS_OFFERED = 25


class Drawing(NamedTuple):
    """A graph as it is sent; that of a run which goes on depends on the time, too, and is not kept."""

    width: int
    height: int
    groups: list[graph_view.Shape]  #: those that are open
    boxes: Markup
    links: Markup
    foreseen: Forecast
    made_from: tuple[DagSpec, dict[str, float]]  #: these objects, not equal ones: comparing them would take longer


_kept = Kept[Drawing](32)


class _Shown(NamedTuple):
    """What a graph is made from."""

    whole: DagSpec
    spec: DagSpec  #: narrowed to the tasks around one, perhaps
    version: str
    is_open: frozenset[str]
    lines: list[Line]
    run: NumberedRun | None
    parts: list[CellPart]
    seq: int  #: of the last change of the parts
    window: GridWindow
    params: dict[str, str]

    @property
    def live(self) -> bool:
        return self.run is not None and self.run.state in (RunState.QUEUED, RunState.RUNNING)

    @property
    def down(self) -> bool:
        return address.choice(self.params, "dir", ("down", "right")) == "down"


async def show(request: Request) -> Response:
    """The whole page."""
    return await _answer(request, "dags/graph.html")


async def drawing(request: Request) -> Response:
    """The drawing alone, for a page that was told of a change."""
    return await _answer(request, "dags/_graph.html")


async def _answer(request: Request, template: str) -> Response:
    pages, params = actions_of(request).dag_pages, dict(request.query_params)
    dag = await pages.dag(request.path_params["dag_id"])
    shown = await _shown(pages, dag, params)
    run, spec = shown.run, shown.whole
    have = fingerprint(dag.version, dag.paused, address.query(params), run and (run.run_id, run.state), shown.seq)
    if has(request, template, have):
        return unchanged()
    drawn = await _drawn(request, shown, dag.spec.timezone)
    path = [drawn.foreseen.spans[name] for name in drawn.foreseen.path]
    return page(
        request,
        template,
        head=head(pages, dag, "graph"),
        fingerprint=have,
        query=address.query(params),
        run=run,
        runs=run_choices(shown.window.runs, run),
        live=shown.live,
        drawn=drawn,
        down=shown.down,
        turn=_link(params, dir=None if shown.down else "down"),
        open_all=_link(params, open=dag_tree.ALL) if spec.groups else None,
        close_all=_link(params, open=dag_tree.NONE) if spec.groups else None,
        badge=views.badge(run.state.value) if run else None,
        foreseen=drawn.foreseen,
        alone=template.startswith("dags/_"),
        path_seconds=sum((span.end - span.start).total_seconds() for span in path),
        lit=address.choice(params, "lit", LIT),
        lights={state: _link(params, lit=None if params.get("lit") == state else state) for state in LIT},
        older_version=shown.version != dag.version,
        root=params.get("root", ""),
        around=address.choice(params, "around", dag_tree.AROUND),
        ways=dag_tree.AROUND,
        all_tasks=_link(params, root=None, around=None),
        fields={name: params.get(name, "") for name in ("open", "dir", "lit")},
    )


async def _shown(pages: DagPages, dag: StoredDag, params: dict[str, str]) -> _Shown:
    """What the address asks for: a run, in the version that it has, and which of its tasks."""
    dag_id, whole, version = dag.spec.dag_id, dag.spec, dag.version
    run, window = await pages.around(dag_id, params.get("run") or None, limit=_RUNS_OFFERED)
    if run is not None and run.version != version:
        whole = (await pages.specs(dag_id, [run.version])).get(run.version, whole)
        version = run.version
    spec = dag_tree.narrowed(whole, params.get("root", ""), address.choice(params, "around", dag_tree.AROUND))
    is_open = dag_tree.opened(spec, params.get("open"))
    lines = dag_tree.lines(spec, is_open)
    places = {task_id: place for place, line in enumerate(lines) if not line.is_open for task_id in line.task_ids}
    parts, seq = await pages.cells_of(run, places) if run is not None and places else ([], 0)
    return _Shown(whole, spec, version, is_open, lines, run, parts, seq, window, params)


async def _drawn(request: Request, shown: _Shown, dag_zone: str) -> Drawing:
    """The drawing, as it was made before if it would be the same."""
    pages: DagPages = request.app.state.actions.dag_pages
    words, zone = language(request), preferences(request).zone_of(dag_zone)
    usual = await pages.usual(shown.window)
    number = shown.run and shown.run.id
    key = (id(shown.whole), id(usual), number, shown.seq, address.query(shown.params), words.code, zone.key)
    known = None if shown.live else _kept.get(key)
    if known is not None and known.made_from[0] is shown.whole and known.made_from[1] is usual:
        return known
    drawn = await _draw(request, shown, usual, words, partial(moment_text, zone=zone))
    if not shown.live:
        _kept.keep([(key, drawn)])
    return drawn


async def _draw(
    request: Request, shown: _Shown, usual: dict[str, float], words: Language, moment: Callable[[datetime], str]
) -> Drawing:
    foreseen = await expected(request, shown.whole, usual, shown.run)
    known, between = await beside(request, _foreseen, shown, usual, foreseen)
    laid = await laid_out(tuple(graph_view.nodes(shown.lines)), tuple(between), shown.down)
    return await beside(request, _drawing, shown, usual, foreseen, known, between, laid, words, moment)


def _foreseen(shown: _Shown, usual: dict[str, float], foreseen: Forecast) -> tuple[Insight, list[tuple[str, str]]]:
    """What is known of each box, and the arrows between boxes."""
    whole, lines = shown.whole, shown.lines
    known = insight(lines, forecast(whole, usual, None, {}, shown.window.now), usual, foreseen)
    return known, graph_view.edges(shown.spec, lines)


def _drawing(
    shown: _Shown,
    usual: dict[str, float],
    foreseen: Forecast,
    known: Insight,
    between: Sequence[tuple[str, str]],
    laid: Layout,
    words: Language,
    moment: Callable[[datetime], str],
) -> Drawing:
    spec, lines = shown.spec, shown.lines
    toggles = {
        line.id: _link(shown.params, open=dag_tree.toggled(spec, shown.is_open, line.id))
        for line in lines
        if line.is_group
    }
    shapes = graph_view.shapes(lines, laid, between, shown.parts, shown.run, toggles, known, words)
    return Drawing(
        width=round(laid.width),
        height=round(laid.height),
        groups=[shape for shape in shapes if shape.kind == "group"],
        boxes=graph_marks.boxes(shapes, words, moment),
        links=graph_marks.arrows(graph_view.arrows(spec, laid, known, down=shown.down)),
        foreseen=foreseen,
        made_from=(shown.whole, usual),
    )


async def expected(request: Request, spec: DagSpec, usual: dict[str, float], run: NumberedRun | None) -> Forecast:
    """What is to be expected of a run, or of one that would start now."""
    pages: DagPages = request.app.state.actions.dag_pages
    if run is None:
        return await beside(request, forecast, spec, usual, None, {}, pages.now())
    places = {task_id: place for place, task_id in enumerate(spec.tasks)}
    parts, _ = await pages.cells_of(run, places) if places else ([], 0)
    by_task: dict[str, list[CellPart]] = {}
    names = list(places)
    for part in parts:
        by_task.setdefault(names[part.line], []).append(part)
    return await beside(request, forecast, spec, usual, run, by_task, pages.now())


def _link(params: dict[str, str], **changed: object) -> str:
    return address.query(params, **changed) or "?"


def run_choices(runs: Sequence[DagRun], run: DagRun | None) -> list[tuple[str, str]]:
    """Run ids to choose from, newest first, with what is shown of each."""
    offered = {known.run_id: known for known in reversed(runs)}
    if run is not None:
        offered.setdefault(run.run_id, run)
    return [(name, f"{name} · {known.state.value}") for name, known in offered.items()]


ROUTES = (
    Route("/dags/{dag_id}/graph", show, name="graph"),
    Route("/dags/{dag_id}/graph/drawing", drawing, name="graph_drawing"),
)
