from __future__ import annotations

import socket
from pathlib import Path

import pytest

from asyncflow.ipc.address import LONGEST, short_address


@pytest.mark.parametrize("depth", [0, 3])
def test_a_socket_can_be_bound_and_reached_however_long_its_path(tmp_path: Path, depth: int) -> None:
    folder = tmp_path
    for _ in range(depth):
        folder /= "x" * 60
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "s.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with short_address(path) as address:
            assert len(address) <= LONGEST
            server.bind(address)
        server.listen()
        with short_address(path) as address:
            client.connect(address)
    assert path.is_socket()


def test_a_long_path_in_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), short_address(tmp_path / ("x" * 120) / "s.sock"):
        pass
