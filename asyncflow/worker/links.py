"""Extra links of an operator, worked out where its code is: in the task's process, at the end of a try.

The server never runs user code, so what a page can show is left as an XCom `_link_<name>` of the task instance.
"""

from __future__ import annotations

import inspect
import logging
from typing import Any

log = logging.getLogger("airflow.task")

#: what the keys of links begin with
PREFIX = "_link_"


def push_links(task: Any, ti: Any) -> None:
    """Push the address of each link in `operator_extra_links`; one that breaks is logged and left out."""
    for link in getattr(task, "operator_extra_links", ()):
        try:
            address = _address(link, task, ti)
            if address:
                ti.xcom_push(key=f"{PREFIX}{link.name}", value=str(address))
        except NotImplementedError:
            continue  # a link that is only a name, as those of our own operators
        except Exception:
            log.exception("The link %r of task %r cannot be made", getattr(link, "name", link), ti.task_id)


def _address(link: Any, task: Any, ti: Any) -> Any:
    """Links take the key of the try; those written before Airflow 2.3, the logical date."""
    if "ti_key" in inspect.signature(link.get_link).parameters:
        return link.get_link(task, ti_key=ti.key)
    return link.get_link(task, ti.logical_date)
