"""Clear and mark: which task instances it would touch is shown first, and can be undone for ten minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import FormData, ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.specs import DagSpec
from asyncflow.errors import InvalidInput
from asyncflow.web import address, browse_view, bulk_view, done, run_view
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.preferences import local_path
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, language, page

#: the scopes that a form can tick, in the order in which they are shown
CLEAR_SCOPES = ("upstream", "downstream", "past", "future", "only_failed", "only_running", "only_this_dag")
MARK_SCOPES = ("upstream", "downstream", "past", "future")
RUN_SCOPES = ("only_failed", "only_running", "only_this_dag")
STATES = ("success", "failed", "skipped")
_LISTED = 20

Fields = Mapping[str, Any]


class Wish:
    """What a form asks for: task instances of a run (all, when none is named) and how far it reaches."""

    def __init__(self, request: Request, fields: ImmutableMultiDict[str, Any] | FormData, verb: str) -> None:
        self.dag_id, self.run_id = request.path_params["dag_id"], request.path_params["run_id"]
        self.verb = verb
        self.picks = [str(text) for text in fields.getlist("ti")]
        try:
            self.instances = [run_view.picked(text) for text in self.picks]
        except ValueError:
            raise InvalidInput("ti= in the address names a task instance as `map index:task id`.") from None
        self.state = str(fields.get("state", ""))
        if verb == "mark" and self.state not in STATES:
            raise address.not_accepted("state", self.state, STATES)
        scopes = CLEAR_SCOPES if verb == "clear" else MARK_SCOPES
        self.offered: tuple[str, ...] = scopes if self.picks else RUN_SCOPES if verb == "clear" else ()
        self.scopes: dict[str, Any] = {name: bool(fields.get(name)) for name in self.offered}
        self.unresolved = 0
        self.back = self._back(local_path(str(fields.get("back", "")) or came_from(request)))

    def _back(self, here: str) -> str:
        """Where to go then: the page of the run or of a task instance of it where the form was opened, else the run."""
        home = address.run_path(self.dag_id, self.run_id)
        path, kept = done.without(here)
        if path.startswith(f"{home}/tasks/") and path.endswith("/log"):
            kept = {name: kept[name] for name in ("map_index",) if name in kept}  # of the newest try
        return path + address.query(kept) if path == home or path.startswith(f"{home}/tasks/") else home

    async def carry_out(self, actions: Actions, *, dry_run: bool) -> list[tuple[str, str, str, int]]:
        """The task instances that are (or with `dry_run` would be) touched."""
        touched: dict[tuple[str, str, str, int], None] = {}
        self.unresolved = 0
        for rows in [await self._one(actions, *part, dry_run=dry_run) for part in self._parts()]:
            touched.update(dict.fromkeys((row[0], row[1], row[2], int(row[3])) for row in rows["tasks"]))
            self.unresolved += len(rows.get("unresolved", ()))
        return list(touched)

    def _parts(self) -> list[tuple[list[str] | None, list[int] | None]]:
        """(task ids, map indexes) to act on, one after the other; copies of mapped tasks by task."""
        if not self.instances:
            return [(None, None)]
        plain = [task_id for task_id, index in self.instances if index < 0]
        copies: dict[str, list[int]] = {}
        for task_id, index in self.instances:
            if index >= 0:
                copies.setdefault(task_id, []).append(index)
        parts: list[tuple[list[str] | None, list[int] | None]] = [
            ([task_id], found) for task_id, found in copies.items()
        ]
        return [(plain, None), *parts] if plain else parts

    async def _one(
        self, actions: Actions, task_ids: list[str] | None, indexes: list[int] | None, *, dry_run: bool
    ) -> dict[str, Any]:
        if self.verb == "clear":
            return await actions.clear_tasks(
                self.dag_id,
                task_ids=task_ids,
                run_id=self.run_id,
                map_indexes=indexes,
                dry_run=dry_run,
                **clear_scopes(self.scopes),
            )
        if task_ids is None:
            return await actions.mark_run(self.dag_id, self.run_id, self.state, dry_run=dry_run)
        found: list[Any] = []
        for task_id in task_ids:
            answer = await actions.mark_tasks(
                self.dag_id, self.run_id, task_id, self.state, map_indexes=indexes, dry_run=dry_run, **self.scopes
            )
            found += answer["tasks"]
        return {"tasks": found}


def came_from(request: Request) -> str:
    """The page of ours that the browser says it was on, "" for none."""
    return request.headers.get("referer", "").partition(request.url.netloc)[2]


def clear_scopes(scopes: Mapping[str, Any]) -> dict[str, Any]:
    """The boxes of a form as the arguments of `Actions.clear_tasks`."""
    given = dict(scopes)
    given["recursive"] = not given.pop("only_this_dag", False)
    return given


def offered(scopes: Sequence[str], spec: DagSpec) -> tuple[str, ...]:
    """The boxes that make a difference for a DAG."""
    leads_on = any(task.marker is not None for task in spec.tasks.values())
    return tuple(name for name in scopes if leads_on or name != "only_this_dag")


async def clear_form(request: Request) -> Response:
    """What clearing would touch."""
    if request.query_params.get("all"):
        return _many(request, "clear")
    return await _preview(request, Wish(request, request.query_params, "clear"))


def _many(request: Request, verb: str) -> Response:
    """To the form for many task instances of any runs: for all that a run's list has, and for what it alone can do."""
    params, names = request.query_params, request.path_params
    picked = [run_view.picked(text) for text in params.getlist("ti")] if not params.get("all") else []
    keys = [("key", browse_view.task_key(names["dag_id"], names["run_id"], *pick)) for pick in picked]
    wanted = {
        "do": verb,
        "all": params.get("all", ""),
        "dag_id": names["dag_id"],
        "run_id": names["run_id"],
        "state": params.get("of_state", ""),
        "task": params.get("of_task", ""),
        "task_id": params.get("of_task_id", ""),
        "back": address.run_path(names["dag_id"], names["run_id"]),
    }
    more = f"&{urlencode(keys)}" if keys else ""
    return RedirectResponse(f"/tasks/change{address.query(wanted)}{more}", status_code=303)


async def mark_form(request: Request) -> Response:
    """What marking would touch."""
    params = request.query_params
    if params.get("all") or params.get("state") == "cancel":
        return _many(request, params.get("state", ""))
    return await _preview(request, Wish(request, request.query_params, "mark"))


async def _preview(request: Request, wish: Wish) -> Response:
    actions = actions_of(request)
    touched = await wish.carry_out(actions, dry_run=True)
    dag = await actions.dag_pages.dag(wish.dag_id)
    wish.offered = offered(wish.offered, dag.spec)
    return dialog(
        request,
        "dialogs/change.html",
        wish=wish,
        path=address.run_path(wish.dag_id, wish.run_id),
        count=len(touched),
        listed=_listed(wish, touched[:_LISTED]),
        runs=len({key[1] for key in touched}),
        version=dag.version,
        words=scope_words(language(request)),
        once=new_key(),
        section="Runs",
    )


def _listed(wish: Wish, keys: Sequence[tuple[str, str, str, int]]) -> list[str]:
    """The first of them in words; those of other runs and DAGs say so."""
    names = []
    for dag_id, run_id, task_id, map_index in keys:
        name = f"{task_id}[{map_index}]" if map_index >= 0 else task_id
        where = "" if dag_id == wish.dag_id else f"{dag_id}, "
        names.append(name if (dag_id, run_id) == (wish.dag_id, wish.run_id) else f"{name} ({where}{run_id})")
    return names


def scope_words(_: Any) -> dict[str, str]:
    """What the boxes of the form say."""
    return {
        "upstream": _("Upstream: tasks before them"),
        "downstream": _("Downstream: tasks after them"),
        "past": _("Past: earlier runs, too"),
        "future": _("Future: later runs, too"),
        "only_failed": _("Only what failed"),
        "only_running": _("Only what is running"),
        "only_this_dag": _("Only this DAG: not what its ExternalTaskMarkers lead to"),
    }


async def clear(request: Request) -> Response:
    """Clear, and back to the run."""
    return await _carry_out(request, "clear")


async def mark(request: Request) -> Response:
    """Mark, and back to the run."""
    return await _carry_out(request, "mark")


async def _carry_out(request: Request, verb: str) -> Response:
    form, actions = await checked_form(request), actions_of(request)
    wish = Wish(request, form, verb)

    async def act() -> str:
        name = await actions.remember(await wish.carry_out(actions, dry_run=True) or [(wish.dag_id, wish.run_id)])
        touched = await wish.carry_out(actions, dry_run=False)
        what = "cleared" if verb == "clear" else "marked" if wish.picks else "run_marked"
        return done.after(wish.back, what, n=len(touched), undo=name)

    return await once(request, form, act)


async def undo(request: Request) -> Response:
    """Bring back what was before a clear or a mark; what could not be is told on a page of its own."""
    form = await checked_form(request)
    name = str(form.get("name", ""))
    answer = await actions_of(request).undo(name)
    back = local_path(str(form.get("back", "")))
    if answer["left"]:
        return RedirectResponse("/undone" + address.query({"name": name, "back": back}), status_code=303)
    return RedirectResponse(done.after(back, "undone", n=answer["count"]), status_code=303)


async def undone(request: Request) -> Response:
    """What an undo has left alone, and why."""
    params = request.query_params
    answer = actions_of(request).what_was_undone(params.get("name", ""))
    return page(
        request,
        "dialogs/undone.html",
        layout="base.html",
        section="Tasks",
        count=answer["count"],
        gone=len(answer["gone"]),
        groups=bulk_view.left_alone(answer["left"], language(request)),
        back=local_path(params.get("back", "")),
    )


ROUTES = (
    Route("/dags/{dag_id}/runs/{run_id:path}/clear", clear_form, name="clear_form"),
    Route("/dags/{dag_id}/runs/{run_id:path}/clear", clear, methods=["POST"], name="clear"),
    Route("/dags/{dag_id}/runs/{run_id:path}/mark", mark_form, name="mark_form"),
    Route("/dags/{dag_id}/runs/{run_id:path}/mark", mark, methods=["POST"], name="mark"),
    Route("/undo", undo, methods=["POST"], name="undo"),
    Route("/undone", undone, name="undone"),
)
