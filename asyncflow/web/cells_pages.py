"""Clear and mark for cells of the grid: tasks and task groups of several runs of a DAG at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.datastructures import FormData, ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.sentence import told
from asyncflow.core.specs import DagSpec
from asyncflow.errors import AsyncflowError, InvalidInput
from asyncflow.web import address, dag_tree, done, grid_cells
from asyncflow.web.change_pages import CLEAR_SCOPES, MARK_SCOPES, STATES, clear_scopes, offered, scope_words
from asyncflow.web.failures import partly_done
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.preferences import local_path
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, language

#: cells that one form may name: an address with more could be too long for a server
MOST = 500
_LISTED = 20

Key = tuple[str, str, str, int]


class CellsWish:
    """What a form asks for: cells (a task or a group in a run) and how far it reaches."""

    def __init__(self, dag_id: str, fields: ImmutableMultiDict[str, Any] | FormData, verb: str) -> None:
        self.dag_id, self.verb = dag_id, verb
        self.picks = list(dict.fromkeys(str(text) for text in fields.getlist("ti")))
        if not self.picks:
            raise InvalidInput("No task instance is selected. Go back and tick some in the grid.")
        if len(self.picks) > MOST:
            raise InvalidInput(
                "{n} cells are selected; at most {most} can be changed at once.", n=f"{len(self.picks):,}", most=MOST
            )
        try:
            self.cells = [grid_cells.picked(text) for text in self.picks]
        except ValueError:
            raise InvalidInput("ti= in the address names a cell of the grid as `task@run`.") from None
        self.state = str(fields.get("state", ""))
        if verb == "mark" and self.state not in STATES:
            raise address.not_accepted("state", self.state, STATES)
        self.offered: tuple[str, ...] = CLEAR_SCOPES if verb == "clear" else MARK_SCOPES
        self.scopes: dict[str, Any] = {name: bool(fields.get(name)) for name in self.offered}
        self.back = local_path(str(fields.get("back", "") or f"{address.dag_path(dag_id)}/grid"))
        self.refused: list[str] = []
        self.unresolved = 0

    def by_run(self, spec: DagSpec) -> dict[str, list[str]]:
        """run id -> task ids; a group stands for all its tasks."""
        members = {line.id: line.task_ids for line in dag_tree.lines(spec, frozenset(spec.groups)) if line.is_group}
        found: dict[str, dict[str, None]] = {}
        for name, run_id in self.cells:
            found.setdefault(run_id, {}).update(dict.fromkeys(members.get(name, (name,))))
        return {run_id: list(names) for run_id, names in found.items()}

    async def carry_out(self, actions: Actions, *, dry_run: bool) -> list[Key]:
        """The task instances that are (or with `dry_run` would be) touched; runs that refuse are in `refused`."""
        spec = (await actions.dag_pages.dag(self.dag_id)).spec
        touched: dict[Key, None] = {}
        self.refused, self.unresolved = [], 0
        for run_id, task_ids in self.by_run(spec).items():
            try:
                rows = await self._in_run(actions, run_id, task_ids, dry_run)
            except AsyncflowError as error:
                self.refused.append(told(error))
                continue
            touched.update(dict.fromkeys((row[0], row[1], row[2], int(row[3])) for row in rows))
        return list(touched)

    async def _in_run(self, actions: Actions, run_id: str, task_ids: Iterable[str], dry_run: bool) -> list[Any]:
        if self.verb == "clear":
            answer = await actions.clear_tasks(
                self.dag_id, task_ids=list(task_ids), run_id=run_id, dry_run=dry_run, **clear_scopes(self.scopes)
            )
            self.unresolved += len(answer["unresolved"])
            return list(answer["tasks"])
        rows: list[Any] = []
        for task_id in task_ids:
            answer = await actions.mark_tasks(self.dag_id, run_id, task_id, self.state, dry_run=dry_run, **self.scopes)
            rows += answer["tasks"]
        return rows


async def clear_form(request: Request) -> Response:
    """What clearing would touch."""
    return await _preview(request, "clear")


async def mark_form(request: Request) -> Response:
    """What marking would touch."""
    return await _preview(request, "mark")


async def _preview(request: Request, verb: str) -> Response:
    actions = actions_of(request)
    dag_id = request.path_params["dag_id"]
    dag = await actions.dag_pages.dag(dag_id)
    wish = CellsWish(dag_id, request.query_params, verb)
    touched = await wish.carry_out(actions, dry_run=True)
    wish.offered = offered(wish.offered, dag.spec)
    return dialog(
        request,
        "dialogs/cells.html",
        wish=wish,
        path=address.dag_path(dag_id),
        count=len(touched),
        listed=[_name(key, dag_id) for key in touched[:_LISTED]],
        runs=len({key[:2] for key in touched}),
        version=dag.version,
        words=scope_words(language(request)),
        once=new_key(),
        section="DAGs",
    )


def _name(key: Key, dag_id: str) -> str:
    other, run_id, task_id, map_index = key
    name = f"{task_id}[{map_index}]" if map_index >= 0 else task_id
    return f"{name} ({run_id})" if other == dag_id else f"{name} ({other}, {run_id})"


async def clear(request: Request) -> Response:
    """Clear, and back to the grid."""
    return await _carry_out(request, "clear")


async def mark(request: Request) -> Response:
    """Mark, and back to the grid."""
    return await _carry_out(request, "mark")


async def _carry_out(request: Request, verb: str) -> Response:
    form = await checked_form(request)
    actions = actions_of(request)
    wish = CellsWish(request.path_params["dag_id"], form, verb)

    async def act() -> str:
        before = await wish.carry_out(actions, dry_run=True)
        name = await actions.remember(before) if before else ""
        touched = await wish.carry_out(actions, dry_run=False)
        return done.after(wish.back, "cleared" if verb == "clear" else "marked", n=len(touched), undo=name)

    answer = await once(request, form, act)
    if wish.refused:
        wanted = len(wish.by_run((await actions.dag_pages.dag(wish.dag_id)).spec))
        return partly_done(request, wish.refused, wanted - len(wish.refused), wish.back, "DAGs")
    return answer


ROUTES = (
    Route("/dags/{dag_id}/cells/clear", clear_form, name="cells_clear_form"),
    Route("/dags/{dag_id}/cells/clear", clear, methods=["POST"], name="cells_clear"),
    Route("/dags/{dag_id}/cells/mark", mark_form, name="cells_mark_form"),
    Route("/dags/{dag_id}/cells/mark", mark, methods=["POST"], name="cells_mark"),
)
