"""Runs one try of an async task on the event loop of this process: as `worker.runner`, without signals and processes.

What the task does between two awaits is its own; what is done around it (context, templates, callbacks) is done in one
go, so it sees nothing of the other tasks.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from asyncflow.authoring.api import TaskApi, own_api
from asyncflow.authoring.context import own_context
from asyncflow.authoring.exceptions import AirflowTaskTerminated, AirflowTaskTimeout
from asyncflow.core.messages import TryInfo, TryResult
from asyncflow.worker.runner import Try, utc_now

log = logging.getLogger("airflow.task")


async def run_async_try(task: Any, info: TryInfo, api: TaskApi) -> TryResult:
    """As `run_try`, for an operator with `execute_async`. Cancelling it fails the try, after `on_kill`."""
    with own_api(api):
        return await _AsyncTry(task, info, api, now=utc_now, test_mode=False).run_async()


class _AsyncTry(Try):
    async def run_async(self) -> TryResult:
        log.info("Starting attempt %s of %s", self.ti.try_number, self.ti.max_tries + 1)
        try:
            self._prepare()
            await self._execute_async()
        except asyncio.CancelledError:
            log.error("The task was told to end")
            self._on_kill()
            return self._ended_by(AirflowTaskTerminated("The task was cancelled"))
        except BaseException as error:
            return self._ended_by(error)
        return self._end("success")

    async def _execute_async(self) -> None:
        context, task = self._context, self.task
        self._call_back("on_execute_callback")
        with own_context(context):
            task.pre_execute(context)
            result = await self._timed_async(task)
            self._keep(result)
            task.post_execute(context, result)

    async def _timed_async(self, task: Any) -> Any:
        limit = task.execution_timeout
        scope = asyncio.timeout(limit.total_seconds() if limit is not None else None)
        try:
            async with scope:
                return await task.execute_async(self._context)
        except TimeoutError as error:
            if not scope.expired():
                raise
            self._on_kill()
            seconds = limit.total_seconds()
            raise AirflowTaskTimeout(
                f"Timeout: the task ran longer than its execution_timeout of {seconds:g} s"
            ) from error
