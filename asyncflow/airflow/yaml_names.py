"""`airflow.utils.yaml`: PyYAML with the C loader where there is one, loaded when it is used."""

from __future__ import annotations

from typing import Any


def safe_load(stream: Any) -> Any:
    """The data of a YAML text or file."""
    import yaml

    return yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def dump(data: Any, **kwargs: Any) -> Any:
    """The YAML text of plain data."""
    import yaml

    return yaml.dump(data, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), **kwargs)


def __getattr__(name: str) -> Any:
    import yaml

    return getattr(yaml, name)
