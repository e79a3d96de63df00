"""The keywords of DAG, their types, and the checks of single ones."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, MutableMapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

import jinja2

from asyncflow.authoring.timetables import Timetable
from asyncflow.errors import InvalidDag


class DagArguments(TypedDict, total=False):
    """Every keyword of DAG but dag_id, description and schedule; None means the default."""

    schedule_interval: Any
    timetable: Timetable | None
    start_date: datetime | None
    end_date: datetime | None
    full_filepath: str | None
    template_searchpath: str | Iterable[str] | None
    template_undefined: type[jinja2.Undefined]
    user_defined_macros: dict[str, Any] | None
    user_defined_filters: dict[str, Any] | None
    default_args: dict[str, Any] | None
    concurrency: int | None
    max_active_tasks: int
    max_active_runs: int
    max_consecutive_failed_dag_runs: int
    dagrun_timeout: timedelta | None
    sla_miss_callback: Any
    default_view: str
    orientation: str
    catchup: bool
    on_success_callback: Any
    on_failure_callback: Any
    doc_md: str | None
    params: MutableMapping[str, Any] | None
    access_control: dict[str, Any] | None
    is_paused_upon_creation: bool | None
    jinja_environment_kwargs: dict[str, Any] | None
    render_template_as_native_obj: bool
    tags: Collection[str] | None
    owner_links: dict[str, str] | None
    auto_register: bool
    fail_stop: bool
    dag_display_name: str | None
    #: Airflow 3
    fail_fast: bool
    deadline: Any
    disable_bundle_versioning: bool
    allowed_run_types: Any


EXPECTED_TYPES: dict[str, tuple[type, ...]] = {
    "description": (str,),
    "start_date": (datetime,),
    "end_date": (datetime,),
    "user_defined_macros": (Mapping,),
    "user_defined_filters": (Mapping,),
    "default_args": (Mapping,),
    "max_active_tasks": (int,),
    "max_active_runs": (int,),
    "max_consecutive_failed_dag_runs": (int,),
    "dagrun_timeout": (timedelta,),
    "default_view": (str,),
    "orientation": (str,),
    "catchup": (bool,),
    "doc_md": (str,),
    "params": (Mapping,),
    "is_paused_upon_creation": (bool,),
    "render_template_as_native_obj": (bool,),
    "owner_links": (Mapping,),
    "auto_register": (bool,),
    "fail_stop": (bool,),
    "dag_display_name": (str,),
}
VIEWS = ("grid", "graph", "duration", "gantt", "landing_times", "tree")
ORIENTATIONS = ("LR", "TB", "RL", "BT")
_LINK = re.compile(r"(https?://|mailto:).+")


def read_doc(doc_md: str | None) -> str | None:
    """The text; the content of the file if it is the name of one."""
    if doc_md is not None and doc_md.endswith(".md"):
        try:
            return Path(doc_md).read_text()
        except OSError:
            return doc_md
    return doc_md


def checked_tags(tags: Any, dag_id: str) -> list[str]:
    if isinstance(tags, str):
        raise TypeError(f"DAG {dag_id!r}: tags must be a list of texts, not the text {tags!r}.")
    found = list(tags or ())
    for tag in found:
        if not isinstance(tag, str) or len(tag) > 100:
            raise InvalidDag(f"DAG {dag_id!r}: a tag must be a text of at most 100 characters, not {tag!r:.120}.")
    return found


def checked_owner_links(links: Mapping[str, str] | None, dag_id: str) -> dict[str, str]:
    for owner, link in (links or {}).items():
        if not _LINK.fullmatch(link):
            raise InvalidDag(f"DAG {dag_id!r}: the link {link!r} of owner {owner!r} is neither http(s) nor mailto.")
    return dict(links or {})


def one_of(value: str, accepted: tuple[str, ...], name: str, dag_id: str) -> str:
    if value not in accepted:
        raise InvalidDag(f"DAG {dag_id!r}: {name} must be one of {', '.join(accepted)}; not {value!r}.")
    return value
