"""The graphs over all DAGs: datasets alone, and all dependencies between DAGs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.engine.dataset_pages import DatasetRow, TiedDag
from asyncflow.errors import NotFound
from asyncflow.web import address, dataset_view, dependency_view
from asyncflow.web.dependency_view import KINDS, Net
from asyncflow.web.kept import Made
from asyncflow.web.laying import laid_out
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import language, page

#: boxes that are drawn at most: more would be no picture
MOST = 600


async def datasets(request: Request) -> Response:
    """DAGs and datasets."""
    return await _answer(request, datasets_only=True)


async def show(request: Request) -> Response:
    """DAGs, datasets, and the tasks that start or wait for other DAGs."""
    return await _answer(request, datasets_only=False)


async def _answer(request: Request, *, datasets_only: bool) -> Response:
    actions = actions_of(request)
    params, pages, _ = dict(request.query_params), actions.dataset_pages, language(request)
    rows = await pages.datasets()
    everything = _net(await pages.dags(), rows, datasets_only)
    centre = params.get("around", "")
    drawn = _chosen(everything, centre, params.get("q", "").strip().casefold())
    too_many = len(drawn.things) > MOST
    if too_many:
        drawn = Net(things={}, edges=[])
    words = {
        **{text: _(text) for text in KINDS.values()},
        "paused": _("paused"),
        "not in the folder": _("not in the folder"),
    }
    laid = await laid_out(tuple(dependency_view.nodes(drawn, words)), tuple(drawn.edges), False)
    boxes, arrows = dependency_view.shapes(drawn, laid, words, centre)
    return page(
        request,
        "datasets/graph.html",
        section="Datasets",
        tabs=dataset_view.TABS,
        tab="Graph" if datasets_only else "DAG dependencies",
        here_path=request.url.path,
        params=params,
        shapes=boxes,
        arrows=arrows,
        width=round(laid.width),
        height=round(laid.height),
        centre=everything.things.get(centre),
        kinds=[kind for kind in KINDS if any(thing.kind == kind for thing in everything.things.values())],
        words={kind: words[text] for kind, text in KINDS.items()},
        count=len(everything.things),
        too_many=too_many,
        most=MOST,
        whole=address.query(params, around=None, q=None) or "?",
    )


#: the last graph of each kind
_NETS: Made[Net] = Made(2)


def _net(dags: list[TiedDag], rows: Sequence[DatasetRow], datasets_only: bool) -> Net:
    """The whole graph: made anew when DAGs or names of datasets have changed, not for every page."""
    names = [name for row in rows for name in (row.uri, row.name)]
    draw = partial(dependency_view.net, dags, rows, datasets_only=datasets_only)
    return _NETS.of((dags, names), datasets_only, draw)


def _chosen(everything: Net, centre: str, text: str) -> Net:
    """What the address asks for. Raises NotFound for a box that is not there."""
    if centre:
        if centre not in everything.things:
            known = [name.partition(":")[2] for name in everything.things]
            raise NotFound("DAG or dataset in the graph", centre.partition(":")[2], known)
        return everything.around(centre)
    return everything.matching(text) if text else everything


ROUTES = (
    Route("/datasets/graph", datasets, name="dataset_graph"),
    Route("/dependencies", show, name="dependencies"),
)
