"""Virtual environments for tasks: made by uv if it is there, else by venv and pip; kept and used again.

An environment is known by a hash of all that went into it. While a task uses one it holds a shared lock, so that what
has not been used for a week can be deleted safely.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowException

log = logging.getLogger("airflow.task.operators.environments")

#: how long an environment of the shared cache is kept after its last use
_KEEP = timedelta(days=7)
_MARK = "install_complete_marker.json"
#: a requirement that means the same tomorrow: one version, an address, a file
_FIXED = re.compile(r"===?\s*[^*,]+$|@|^\s*(\.|/|#|-r\b|$)")


@dataclass(frozen=True)
class Environment:
    """What an environment is made of; `python` is a version such as "3.11", None = the one that runs the task."""

    requirements: tuple[str, ...] = ()
    python: str | None = None
    system_site_packages: bool = True
    pip_install_options: tuple[str, ...] = ()
    index_urls: tuple[str, ...] = ()

    @contextlib.contextmanager
    def kept(self, folder: Path, *, cache_key: str = "", shared: bool = False) -> Iterator[str]:
        """The path of its interpreter, made in `folder` if it is not there yet.

        In the `shared` cache requirements that name no exact version are looked up anew each day, and what is not used
        any more is deleted.
        """
        parts = {**asdict(self), "base": sys.version, "cache_key": cache_key}
        if shared and not all(_FIXED.search(line) for line in self.requirements):
            parts["day"] = str(datetime.now(UTC).date())
        text = json.dumps(parts, sort_keys=True)
        place = folder / f"venv-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        with Path(f"{place}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if not (place / _MARK).exists():
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._make_whole(place, text)
                if shared:
                    _prune(folder, besides=place)
            (place / _MARK).touch()
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield str(place / "bin" / "python")

    def _make_whole(self, place: Path, text: str) -> None:
        if (place / _MARK).exists():
            return  # another task has made it while this one waited
        shutil.rmtree(place, ignore_errors=True)
        try:
            self.make(place)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise
        (place / _MARK).write_text(text)

    def make(self, folder: Path) -> None:
        """Make it in a folder. Raises AirflowException with the output of the tool that failed."""
        begun = time.monotonic()
        uv = self._uv()
        site = ["--system-site-packages"] if self.system_site_packages else []
        if uv is not None:
            python = self.python or sys.executable
            _call([uv, "venv", "-q", "--allow-existing", "--python", python, *site, str(folder)])
        else:
            _call([self._installed_python(), "-m", "venv", *site, str(folder)])
        self._install(folder, uv)
        log.info("Made a virtual environment in %.1f s with %s", time.monotonic() - begun, uv or "venv and pip")

    def _install(self, folder: Path, uv: str | None) -> None:
        if not any(line.strip() for line in self.requirements):
            return
        listed = folder / "requirements.txt"
        listed.write_text("\n".join(self.requirements))
        python = str(folder / "bin" / "python")
        if uv is not None:
            command = [uv, "pip", "install", "-q", "--python", python]
        else:
            command = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q"]
        _call([*command, *_index_options(self.index_urls), *self.pip_install_options, "-r", str(listed)])

    def _uv(self) -> str | None:
        """Its path, if it is to be used: by the setting, or because it is there and no options are for pip."""
        method = conf.get("standard", "venv_install_method", fallback="auto")
        if method == "pip" or (method == "auto" and self.pip_install_options):
            return None
        return shutil.which("uv")

    def _installed_python(self) -> str:
        if self.python is None:
            return sys.executable
        name = f"python{self.python}"
        found = shutil.which(name)
        if found is None:
            raise AirflowException(f"{name} is not installed here (with uv installed, it would be fetched).")
        return found


def _index_options(urls: Sequence[str]) -> list[str]:
    names = ["--index-url", *["--extra-index-url"] * len(urls)]
    return [part for pair in zip(names, urls, strict=False) for part in pair]


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise AirflowException(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr).strip()}")


def _prune(folder: Path, besides: Path) -> None:
    """Delete environments that nobody has used for a while and nobody uses now."""
    oldest = time.time() - _KEEP.total_seconds()
    for place in folder.glob("venv-*"):
        if place == besides or not place.is_dir():
            continue
        with contextlib.suppress(OSError), Path(f"{place}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mark = place / _MARK
            if not mark.exists() or mark.stat().st_mtime < oldest:
                shutil.rmtree(place, ignore_errors=True)
