"""FSHook: the base folder of a connection of type fs."""

from __future__ import annotations

from pathlib import Path

from asyncflow.hooks.base import BaseHook


class FSHook(BaseHook):
    """The connection's extra has `path`, the folder that relative paths are below."""

    conn_name_attr = "fs_conn_id"
    default_conn_name = "fs_default"
    conn_type = "fs"
    hook_name = "File (path)"

    def __init__(self, fs_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.conn_id = fs_conn_id
        self.basepath = str(self.get_connection(fs_conn_id).extra_dejson.get("path", ""))

    def get_conn(self) -> None:
        """There is nothing to connect to."""

    def get_path(self) -> str:
        """The base folder."""
        return self.basepath

    def test_connection(self) -> tuple[bool, str]:
        """Whether the folder is there, and a sentence."""
        if not self.basepath:
            return False, 'The extra names no folder: {"path": "/data"}.'
        if not Path(self.basepath).exists():
            return False, f"There is no {self.basepath}."
        return True, f"{self.basepath} is there."
