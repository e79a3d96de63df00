"""Airflow 3.3's partitioned assets, as far as DAG files name them: schedules, mappers of keys, windows, policies.

They are kept and shown; runs are not made per partition here. A partitioned asset schedule is a schedule by assets, a
partitioned cron is a cron.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asyncflow.authoring.timetables import CronTriggerTimetable, DatasetTriggeredTimetable, NullTimetable
from asyncflow.core.timetable import TimetableSpec


class PartitionMapper:
    """Maps the partition key of an upstream event to the key of the run it is for."""

    def to_downstream(self, key: str) -> str | Iterable[str]:
        """The key, or keys, downstream. Raises ValueError for a key that does not fit."""
        raise NotImplementedError(f"{type(self).__name__} does not define to_downstream().")


class IdentityMapper(PartitionMapper):
    """The same key."""

    def to_downstream(self, key: str) -> str:
        return key


class FixedKeyMapper(PartitionMapper):
    """One key for all."""

    def __init__(self, downstream_key: str) -> None:
        self.downstream_key = downstream_key

    def to_downstream(self, key: str) -> str:
        return self.downstream_key


class AllowedKeyMapper(PartitionMapper):
    """The same key, if it is one of these."""

    def __init__(self, allowed_keys: Iterable[str]) -> None:
        self.allowed_keys = list(allowed_keys)

    def to_downstream(self, key: str) -> str:
        if key not in self.allowed_keys:
            raise ValueError(f"The partition key {key!r} is none of {', '.join(self.allowed_keys)}.")
        return key


class _StartOf(PartitionMapper):
    """The start of the span of time that a key lies in."""

    default_output_format = "%Y-%m-%d"

    def __init__(
        self,
        *,
        timezone: Any = "UTC",
        input_format: str = "%Y-%m-%dT%H:%M:%S",
        output_format: str | None = None,
    ) -> None:
        self.timezone = timezone
        self.input_format = input_format
        self.output_format = output_format or self.default_output_format

    def to_downstream(self, key: str) -> str:
        moment = dt.datetime.strptime(key, self.input_format)  # noqa: DTZ007 - a key has the mapper's own time zone
        return self.start(moment).strftime(self.output_format)

    def start(self, moment: dt.datetime) -> dt.datetime:
        """The start of the span."""
        raise NotImplementedError


def _midnight(moment: dt.datetime) -> dt.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


class StartOfHourMapper(_StartOf):
    default_output_format = "%Y-%m-%dT%H"

    def start(self, moment: dt.datetime) -> dt.datetime:
        return moment.replace(minute=0, second=0, microsecond=0)


class StartOfDayMapper(_StartOf):
    def start(self, moment: dt.datetime) -> dt.datetime:
        return _midnight(moment)


class StartOfWeekMapper(_StartOf):
    """Weeks start on Monday."""

    def start(self, moment: dt.datetime) -> dt.datetime:
        return _midnight(moment) - dt.timedelta(days=moment.weekday())


class StartOfMonthMapper(_StartOf):
    default_output_format = "%Y-%m"

    def start(self, moment: dt.datetime) -> dt.datetime:
        return _midnight(moment).replace(day=1)


class StartOfQuarterMapper(_StartOf):
    default_output_format = "%Y-%m"

    def start(self, moment: dt.datetime) -> dt.datetime:
        return _midnight(moment).replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)


class StartOfYearMapper(_StartOf):
    default_output_format = "%Y"

    def start(self, moment: dt.datetime) -> dt.datetime:
        return _midnight(moment).replace(month=1, day=1)


class ProductMapper(PartitionMapper):
    """Keys of several parts, each with a mapper of its own."""

    def __init__(self, *mappers: PartitionMapper, delimiter: str = "|") -> None:
        self.mappers = mappers
        self.delimiter = delimiter

    def to_downstream(self, key: str) -> str:
        parts = key.split(self.delimiter)
        if len(parts) != len(self.mappers):
            raise ValueError(
                f"The partition key {key!r} has {len(parts)} parts; there are {len(self.mappers)} mappers."
            )
        mapped = (str(mapper.to_downstream(part)) for mapper, part in zip(self.mappers, parts, strict=True))
        return self.delimiter.join(mapped)


class Window:
    """The upstream keys that one downstream key stands for."""

    class Direction(enum.Enum):
        """Whether the span begins or ends with the key."""

        FORWARD = "forward"
        BACKWARD = "backward"

    def __init__(self, *, direction: Direction = Direction.FORWARD) -> None:
        self.direction = direction


class HourWindow(Window): ...


class DayWindow(Window): ...


class WeekWindow(Window): ...


class MonthWindow(Window): ...


class QuarterWindow(Window): ...


class YearWindow(Window): ...


class SegmentWindow(Window):
    """A fixed set of keys."""

    def __init__(self, segments: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.segments = list(segments)


class WaitForAll:
    """A run waits for all keys of its window."""


class MinimumCount:
    """A run waits for so many keys of its window; a negative number: for all but so many."""

    def __init__(self, count: int) -> None:
        self.count = count


class RollupMapper(PartitionMapper):
    """Many upstream keys, one run."""

    def __init__(self, *, upstream_mapper: PartitionMapper, window: Window, wait_policy: Any = None) -> None:
        self.upstream_mapper = upstream_mapper
        self.window = window
        self.wait_policy = wait_policy or WaitForAll()

    def to_downstream(self, key: str) -> str | Iterable[str]:
        return self.upstream_mapper.to_downstream(key)


class FanOutMapper(PartitionMapper):
    """One upstream key, many runs."""

    def __init__(
        self,
        *,
        upstream_mapper: PartitionMapper,
        window: Window,
        downstream_mapper: PartitionMapper | None = None,
        max_downstream_keys: int | None = None,
    ) -> None:
        self.upstream_mapper = upstream_mapper
        self.window = window
        self.downstream_mapper = downstream_mapper
        self.max_downstream_keys = max_downstream_keys


class _AsItsBase:
    """The server knows these timetables as the plain ones that they extend."""

    _spec: Any

    def to_spec(self) -> TimetableSpec:
        """The schedule as data, for the server."""
        return self._spec()  # type: ignore[no-any-return]


class PartitionedAssetTimetable(_AsItsBase, DatasetTriggeredTimetable):
    """A schedule by assets. The mappers are kept; runs are made when the assets were updated, whatever the keys."""

    def __init__(
        self,
        *,
        assets: Any,
        partition_mapper_config: Mapping[Any, PartitionMapper] | None = None,
        default_partition_mapper: PartitionMapper | None = None,
    ) -> None:
        super().__init__(assets)
        self.partition_mapper_config = dict(partition_mapper_config or {})
        self.default_partition_mapper = default_partition_mapper or IdentityMapper()


class CronPartitionTimetable(_AsItsBase, CronTriggerTimetable):
    """A cron. Keys are not made: `run_offset` and `key_format` are kept only."""

    def __init__(
        self,
        cron: str,
        *,
        timezone: str | dt.tzinfo,
        run_offset: Any = None,
        key_format: str = "%Y-%m-%dT%H:%M:%S",
        run_immediately: bool | dt.timedelta = False,
    ) -> None:
        super().__init__(cron, timezone=timezone, run_immediately=run_immediately)
        self.run_offset = run_offset
        self.key_format = key_format


class PartitionedAtRuntime(_AsItsBase, NullTimetable):
    """No schedule: the task says which partitions it made."""
