"""Checks the conf of a run against the DAG's params before the run is made, as Airflow's trigger does."""

from __future__ import annotations

from typing import Any

from asyncflow.core.specs import DagSpec
from asyncflow.errors import InvalidInput


def validate_conf(spec: DagSpec, conf: dict[str, Any]) -> None:
    """Raise InvalidInput for the first param whose value (from conf, else its default) breaks its JSON schema."""
    for name, param in spec.params.items():
        if name not in conf and not param.has_value:
            raise InvalidInput(
                f"DAG {spec.dag_id!r} needs the param {name!r}: give it in conf, like {{{name!r}: ...}}."
            )
        if param.schema:
            check_value(f"DAG {spec.dag_id!r}", name, conf.get(name, param.value), param.schema)


def check_value(whose: str, name: str, value: Any, schema: dict[str, Any]) -> None:
    """Raise InvalidInput if a value breaks the JSON schema of a param; `whose` begins the sentence."""
    # Imported here: most DAGs have no schemas, and the import costs more than the rest of a trigger.
    import jsonschema

    try:
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError as error:
        raise InvalidInput(f"{whose}, param {name!r}: {error.message}.") from None
    except jsonschema.SchemaError as error:
        raise InvalidInput(f"{whose}, param {name!r} has a schema that is no schema: {error.message}.") from None
