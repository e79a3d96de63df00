"""Layouts of graphs, kept: large ones are made in a process of their own."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Any

import anyio.to_process
import anyio.to_thread

from asyncflow.web.graph_layout import Layout, Node, layout

#: graphs that are kept as they were laid out
_KEPT = 64
#: the library keeps all threads waiting while it works: more boxes and arrows than this are for another process
IN_A_THREAD = 100

for _name in ("rust-sugiyama", "connected_components"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # it tells of each of its steps

_laid: OrderedDict[tuple[Any, ...], Layout] = OrderedDict()


async def laid_out(nodes: tuple[Node, ...], between: tuple[tuple[str, str], ...], down: bool) -> Layout:
    """Kept by what is drawn, so that a new version with the same shape is there at once."""
    key = (nodes, between, down)
    known = _laid.get(key)
    if known is None:
        run = anyio.to_thread.run_sync if len(nodes) + len(between) <= IN_A_THREAD else anyio.to_process.run_sync
        known = await run(_place, nodes, between, down)
        _laid[key] = known
        if len(_laid) > _KEPT:
            _laid.popitem(last=False)
    else:
        _laid.move_to_end(key)
    return known


def _place(nodes: tuple[Node, ...], between: tuple[tuple[str, str], ...], down: bool) -> Layout:
    return layout(nodes, between, down=down)
