"""Paths in object stores."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from asyncflow.authoring.objectstorage import ObjectStoragePath, attach


def test_a_path_is_taken_apart() -> None:
    path = ObjectStoragePath("s3://aws_default@bucket/folder") / "file.csv.gz"
    assert (path.protocol, path.conn_id, path.bucket, path.key) == ("s3", "aws_default", "bucket", "folder/file.csv.gz")
    assert (path.name, path.stem, path.suffix) == ("file.csv.gz", "file.csv", ".gz")
    assert (path.path, path.container) == ("bucket/folder/file.csv.gz", "bucket")
    assert str(path.parent) == path.parent.as_uri() == "s3://aws_default@bucket/folder"
    assert os.fspath(path) == "s3://aws_default@bucket/folder/file.csv.gz"
    assert repr(path.parent) == "ObjectStoragePath('s3://aws_default@bucket/folder')"


def test_the_connection_may_be_an_argument() -> None:
    path = ObjectStoragePath("gs://bucket/x", conn_id="mine", project="p")
    assert path == ObjectStoragePath("gs://mine@bucket/x")
    assert len({path, ObjectStoragePath("gs://mine@bucket/x"), ObjectStoragePath("gs://bucket/x")}) == 2
    assert path.joinpath("y", "z").storage_options == {"project": "p"}


def test_local_files_need_no_package(tmp_path: Path) -> None:
    path = ObjectStoragePath(f"file://{tmp_path}") / "x.txt"
    assert path.write_text("hello") == 5
    assert path.read_text() == "hello"
    assert path.write_bytes(b"bytes") == 5
    assert ObjectStoragePath(tmp_path / "x.txt").read_bytes() == b"bytes"
    assert (path.bucket, path.key, os.fspath(path)) == ("", str(tmp_path / "x.txt"), str(tmp_path / "x.txt"))
    attach("file", conn_id=None)


@pytest.mark.skipif(importlib.util.find_spec("fsspec") is not None, reason="fsspec is installed")
def test_a_store_without_its_package_is_refused_with_a_sentence() -> None:
    with pytest.raises(ImportError, match="s3://bucket/x needs the package fsspec"):
        ObjectStoragePath("s3://bucket/x").exists()
