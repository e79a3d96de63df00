"""Python functions in other interpreters: a virtual environment made for the task, or one that is there already.

The function's source text is written to a script beside its arguments; the script leaves the return value in a file.
So the function sees nothing of its module: imports and constants belong inside of it. Arguments and value travel as
pickles between two processes of one task; nothing of it is stored.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import pickle
import shutil
import tempfile
import textwrap
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowException, AirflowSkipException
from asyncflow.authoring.variable import Variable
from asyncflow.hooks.subprocess import SubprocessHook
from asyncflow.operators.environments import Environment
from asyncflow.operators.python import BranchMixIn, PythonOperator

_SCRIPT = """\
import pickle, sys

with open(sys.argv[1], "rb") as file:
    arguments = pickle.load(file)
virtualenv_string_args = {string_args!r}

{source}

value = {name}(*arguments["args"], **arguments["kwargs"])
with open(sys.argv[2], "wb") as file:
    pickle.dump(value, file, {protocol})
"""
#: the oldest protocol that all supported interpreters write and read
_PROTOCOL = 4


def is_venv_installed() -> bool:
    """Is virtualenv installed? DAG files ask this, as in Airflow; the operators here do without it."""
    return bool(shutil.which("virtualenv") or importlib.util.find_spec("virtualenv"))


class _OtherInterpreter(PythonOperator):
    """Runs the function by its source text in the interpreter that `_interpreter` gives."""

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        use_dill: bool = False,
        serializer: str | None = None,
        string_args: Iterable[str] | None = None,
        expect_airflow: bool = True,
        skip_on_exit_code: int | Container[int] | None = None,
        env_vars: Mapping[str, str] | None = None,
        inherit_env: bool = True,
        **kwargs: Any,
    ) -> None:
        """`use_dill`, `serializer` and `expect_airflow` have no effect: pickle does, and no Airflow is expected."""
        super().__init__(python_callable=python_callable, **kwargs)
        if not isinstance(python_callable, FunctionType) or python_callable.__name__ == "<lambda>":
            raise AirflowException(f"Task {self.task_id!r}: python_callable must be a function made by def, no lambda.")
        self.string_args = list(string_args or [])
        codes = skip_on_exit_code
        self.skip_on_exit_code = codes if isinstance(codes, Container) else () if codes is None else (codes,)
        self.env_vars = dict(env_vars or {})
        self.inherit_env = inherit_env
        self.use_dill, self.serializer, self.expect_airflow = use_dill, serializer, expect_airflow
        self._hook = SubprocessHook()

    def _interpreter(self) -> contextlib.AbstractContextManager[str]:
        """The interpreter's path, for as long as it is needed."""
        raise NotImplementedError

    def execute_callable(self) -> Any:
        """Run the function over there; what it returns."""
        with self._interpreter() as python, tempfile.TemporaryDirectory(prefix="asyncflow-venv-call-") as name:
            folder = Path(name)
            (folder / "script.py").write_text(self._script())
            (folder / "in").write_bytes(self._arguments())
            env = {**(os.environ if self.inherit_env else {}), **self.env_vars}
            command = [python, str(folder / "script.py"), str(folder / "in"), str(folder / "out")]
            result = self._hook.run_command(command, env, cwd=str(folder))
            if result.exit_code in self.skip_on_exit_code:
                raise AirflowSkipException(f"Process exited with code {result.exit_code}. Skipping.")
            if result.exit_code != 0:
                raise AirflowException(f"Process returned non-zero exit status {result.exit_code}: {result.output}")
            value = (folder / "out").read_bytes()
        try:
            return pickle.loads(value)
        except Exception as error:
            raise AirflowException(f"The return value cannot be read in this interpreter: {error}") from error

    def _script(self) -> str:
        return _SCRIPT.format(
            string_args=self.string_args,
            source=self.get_python_source(),
            name=self.python_callable.__name__,
            protocol=_PROTOCOL,
        )

    def _arguments(self) -> bytes:
        """The arguments; of context variables those that can travel, unless the function names them."""
        parameters = inspect.signature(self.python_callable).parameters
        kwargs = {}
        for key, value in dict(self.op_kwargs).items():
            try:
                pickle.dumps(value, _PROTOCOL)
            except Exception as error:
                if key in parameters:
                    raise AirflowException(
                        f"The argument {key!r} cannot be handed to another interpreter: {error}"
                    ) from None
                continue
            if key in parameters or _is_plain(value):
                kwargs[key] = value
        return pickle.dumps({"args": list(self.op_args), "kwargs": kwargs}, _PROTOCOL)

    def get_python_source(self) -> str:
        """The function's source text without its decorators."""
        lines = textwrap.dedent(inspect.getsource(self.python_callable)).splitlines()
        start = next(i for i, line in enumerate(lines) if line.startswith(("def ", "async def ")))
        return "\n".join(lines[start:])

    def on_kill(self) -> None:
        self._hook.send_sigterm()


def _is_plain(value: Any) -> bool:
    """Is it of built-in types only, which every interpreter knows?"""
    if isinstance(value, Mapping):
        return type(value) is dict and all(_is_plain(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, str | int | float | bool | bytes)


class PythonVirtualenvOperator(_OtherInterpreter):
    """Makes a virtual environment with `requirements` (a list, a text, or a file name), runs the function in it.

    The environment is kept and used again by tasks that ask for the same: with `venv_cache_path` there, for ever; else
    in the home directory. There, requirements without an exact version are installed anew each day.
    """

    template_fields: Sequence[str] = (
        "templates_dict",
        "op_args",
        "op_kwargs",
        "requirements",
        "index_urls",
        "venv_cache_path",
    )
    template_ext: Sequence[str] = (".txt",)

    def __init__(
        self,
        *,
        requirements: None | Iterable[str] | str = None,
        python_version: str | int | float | None = None,
        system_site_packages: bool = True,
        pip_install_options: list[str] | None = None,
        index_urls: None | Collection[str] | str = None,
        venv_cache_path: None | os.PathLike[str] | str = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.requirements = requirements if isinstance(requirements, str) else list(requirements or [])
        self.python_version = None if python_version is None else str(python_version)
        self.system_site_packages = system_site_packages
        self.pip_install_options = list(pip_install_options or [])
        self.index_urls = [index_urls] if isinstance(index_urls, str) else list(index_urls or [])
        self.venv_cache_path = None if venv_cache_path is None else os.fspath(venv_cache_path)

    @contextlib.contextmanager
    def _interpreter(self) -> Iterator[str]:
        wanted = Environment(
            requirements=self._requirement_lines(),
            python=self.python_version.removeprefix("python") if self.python_version else None,
            system_site_packages=self.system_site_packages,
            pip_install_options=tuple(self.pip_install_options),
            index_urls=tuple(self.index_urls),
        )
        home = conf.get("core", "home", fallback=None)
        if self.venv_cache_path is not None:
            key = Variable.get("PythonVirtualenvOperator.cache_key", "")
            with wanted.kept(Path(self.venv_cache_path), cache_key=key) as python:
                yield python
        elif home is not None:
            with wanted.kept(Path(home, "venvs"), shared=True) as python:
                yield python
        else:
            with tempfile.TemporaryDirectory(prefix="asyncflow-venv-") as folder:
                wanted.make(Path(folder))
                yield f"{folder}/bin/python"

    def _requirement_lines(self) -> tuple[str, ...]:
        given = self.requirements
        return tuple(given.splitlines()) if isinstance(given, str) else tuple(sorted(str(line) for line in given))


class BranchPythonVirtualenvOperator(PythonVirtualenvOperator, BranchMixIn):
    """As BranchPythonOperator, with the function in a virtual environment."""

    def execute(self, context: Any) -> Any:
        return self.do_branch(context, super().execute(context))


class ExternalPythonOperator(_OtherInterpreter):
    """Runs the function in an interpreter that is there already: `python` is the path to it."""

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs", "python")

    def __init__(self, *, python: str, expect_pendulum: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not python:
            raise ValueError(f"Task {self.task_id!r}: python must be the path of an interpreter.")
        self.python = python
        self.expect_pendulum = expect_pendulum

    @contextlib.contextmanager
    def _interpreter(self) -> Iterator[str]:
        if not Path(self.python).is_file():
            raise ValueError(f"The interpreter {self.python!r} does not exist.")
        yield self.python


class BranchExternalPythonOperator(ExternalPythonOperator, BranchMixIn):
    """As BranchPythonOperator, with the function in another interpreter."""

    def execute(self, context: Any) -> Any:
        return self.do_branch(context, super().execute(context))
