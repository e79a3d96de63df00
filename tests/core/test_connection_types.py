"""The table of connection types."""

from __future__ import annotations

import pytest

from asyncflow.core.connection_types import KNOWN, PACKAGES, package_of
from asyncflow.core.connections import FIELDS


def test_the_package_of_a_type_is_known() -> None:
    assert package_of("postgres") == "apache-airflow-providers-postgres"
    assert package_of("fs") == ""
    assert package_of("mystery") == ""


@pytest.mark.parametrize("conn_type", KNOWN)
def test_a_type_speaks_of_fields_that_there_are(conn_type: str) -> None:
    it = KNOWN[conn_type]
    assert it.name
    assert not it.package or it.package.startswith(PACKAGES)
    assert {*it.hidden, *it.labels, *it.placeholders} <= set(FIELDS)
    assert not {*it.hidden} & {*it.labels}
