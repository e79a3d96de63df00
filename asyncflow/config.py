"""Settings: built once by the CLI, passed down; the only reader of the environment and of asyncflow.toml.

Order of precedence: command-line flag, environment (`ASYNCFLOW_<NAME>`), `asyncflow.toml` in the home directory,
default. Airflow's own `AIRFLOW__SECTION__KEY` variables are honoured for the settings that name one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_type_hints

from asyncflow.errors import InvalidInput

DEFAULT_HOME = "~/.asyncflow"
_KEY = "AIRFLOW__CORE__FERNET_KEY"


def _setting(default: Any, doc: str, airflow: str = "") -> Any:
    return field(default=default, metadata={"doc": doc, "airflow": airflow})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with its default. Durations are float seconds, sizes are MiB unless the name says otherwise."""

    home: Path = _setting(Path(DEFAULT_HOME), "Directory of the database, logs, sockets and secrets.")
    dags: Path = _setting(Path("dags"), "Folder of the DAG files.", "core.dags_folder")
    plugins: Path = _setting(
        Path("plugins"),
        "Folder of plugins and of modules that DAG files import; below the home directory if not absolute.",
        "core.plugins_folder",
    )
    host: str = _setting("127.0.0.1", "Address the web server listens on.")
    port: int = _setting(8080, "Port the web server listens on.")
    executor: str = _setting("local", 'Where tries run: "local", or "sequential" (one at a time).')
    concurrency: int = _setting(
        0, "How many tries may run at once; 0 = four per CPU core, at least 8.", "core.parallelism"
    )
    async_concurrency: int = _setting(
        1000,
        "How many `async def` tasks may run at once; they have no process of their own and are not in `concurrency`.",
    )
    start_mode: str = _setting("fork", 'How task processes start: "fork" (fast) or "spawn" (a fresh interpreter).')
    max_hosts: int = _setting(128, "How many DAG hosts may stay alive while nothing of theirs runs.")
    host_idle_timeout: float = _setting(30.0, "Seconds after which a DAG host that had nothing to do is stopped.")
    parse_concurrency: int = _setting(2, "How many DAG files are imported at once.", "dag_processor.parsing_processes")
    dagbag_import_timeout: float = _setting(
        30.0, "Seconds the import of a DAG file may take.", "core.dagbag_import_timeout"
    )
    dag_memory_limit_mb: int = _setting(
        1024, "Memory (MiB of address space beyond the start) an import may take; 0 = no limit."
    )
    dag_output_limit_kb: int = _setting(1024, "KiB an import may print.")
    dag_refresh_interval: float = _setting(
        300.0, "Seconds after which a file that reads what cannot be watched is loaded again."
    )
    dag_discovery_safe_mode: bool = _setting(
        True,
        'Look only at files that contain "dag" and "airflow" or "asyncflow".',
        "core.dag_discovery_safe_mode",
    )
    dag_ignore_file_syntax: str = _setting("regexp", '"regexp" or "glob".', "core.dag_ignore_file_syntax")
    poll_files: bool = _setting(False, "Poll the DAG folder instead of using inotify (network file systems).")
    poll_interval: float = _setting(1.0, "Seconds between two looks when polling.")
    dags_are_paused_at_creation: bool = _setting(
        True, "A DAG seen for the first time starts paused.", "core.dags_are_paused_at_creation"
    )
    catchup_by_default: bool = _setting(False, "`catchup` of DAGs that do not say.", "scheduler.catchup_by_default")
    default_timezone: str = _setting("UTC", "Time zone of start dates that name none.", "core.default_timezone")
    max_active_runs_per_dag: int = _setting(
        16, "`max_active_runs` of DAGs that do not say.", "core.max_active_runs_per_dag"
    )
    max_active_tasks_per_dag: int = _setting(
        16, "`max_active_tasks` of DAGs that do not say.", "core.max_active_tasks_per_dag"
    )
    default_pool_slots: int = _setting(
        128, "Slots of default_pool when it is first made.", "core.default_pool_task_slot_count"
    )
    default_task_retries: int = _setting(0, "`retries` of tasks that do not say.", "core.default_task_retries")
    default_task_retry_delay: float = _setting(
        300.0, "`retry_delay` of tasks that do not say, in seconds.", "core.default_task_retry_delay"
    )
    max_task_retry_delay: float = _setting(86400.0, "Cap of the exponential back-off.", "core.max_task_retry_delay")
    default_task_execution_timeout: float = _setting(
        0.0, "`execution_timeout` of tasks that do not say; 0 = none.", "core.default_task_execution_timeout"
    )
    killed_task_cleanup_time: float = _setting(
        5.0, "Seconds between SIGTERM and SIGKILL of a task that is ended.", "core.killed_task_cleanup_time"
    )
    adoption_timeout: float = _setting(5.0, "Seconds a restarted server waits for a live DAG host to reconnect.")
    durability: str = _setting("normal", '"normal" survives a crash of the process, "full" also a power loss.')
    max_map_length: int = _setting(1024, "Longest list a task may be mapped over.", "core.max_map_length")
    smtp_host: str = _setting("localhost", "Host of the SMTP server that mail is handed to.", "smtp.smtp_host")
    smtp_port: int = _setting(25, "Its port.", "smtp.smtp_port")
    smtp_starttls: bool = _setting(True, "Encrypt the connection by STARTTLS.", "smtp.smtp_starttls")
    smtp_ssl: bool = _setting(False, "Encrypt the connection from the start.", "smtp.smtp_ssl")
    smtp_user: str = _setting("", "Name to log in with; empty = do not log in.", "smtp.smtp_user")
    smtp_password: str = _setting("", "Password to log in with.", "smtp.smtp_password")
    smtp_mail_from: str = _setting("airflow@example.com", "Sender of mails.", "smtp.smtp_mail_from")
    smtp_timeout: float = _setting(30.0, "Seconds the SMTP server may take to answer.", "smtp.smtp_timeout")
    smtp_retry_limit: int = _setting(5, "How often a mail is tried when the connection fails.", "smtp.smtp_retry_limit")
    email_subject_template: str = _setting(
        "", "File with the template of the subject of mails about failed tasks.", "email.subject_template"
    )
    email_html_content_template: str = _setting(
        "", "File with the template of their body.", "email.html_content_template"
    )
    venv_install_method: str = _setting(
        "auto",
        'What makes virtual environments for tasks: "uv", "pip", or "auto" (uv if it is installed).',
        "standard.venv_install_method",
    )
    audit_retention_days: int = _setting(0, "Days that lines of the audit log are kept; 0 = for ever.")
    log_level: str = _setting("INFO", "Level of the server's own log.", "logging.logging_level")

    @property
    def database(self) -> Path:
        return self.home / "asyncflow.db"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def xcom_dir(self) -> Path:
        return self.home / "xcom"

    @property
    def plugins_folder(self) -> Path:
        return self.home / self.plugins

    @property
    def spool(self) -> Path:
        return self.home / "spool"

    @property
    def run_dir(self) -> Path:
        return self.home / "run"

    @property
    def stderr_dir(self) -> Path:
        return self.run_dir / "stderr"

    @property
    def socket(self) -> Path:
        return self.run_dir / "server.sock"

    @property
    def server_log(self) -> Path:
        return self.home / "server.log"

    @property
    def lock(self) -> Path:
        return self.run_dir / "server.lock"

    @property
    def slots(self) -> int:
        """How many tries may run at once, with the default worked out."""
        if self.executor == "sequential":
            return 1
        return self.concurrency or max(8, 4 * (os.cpu_count() or 1))


class Origin(NamedTuple):
    """Where the value of a setting came from."""

    kind: Literal["command line", "environment", "file", "default"]
    where: str = ""  #: the variable, or the file


def load_settings(overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process: flags in `overrides` (None = not given), environment, toml, defaults.

    Raises InvalidInput, naming the setting, where it was set, and what it accepts.
    """
    return load_with_origins(overrides, environ)[0]


def load_with_origins(
    overrides: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> tuple[Settings, dict[str, Origin]]:
    """The same, and for each setting where it came from."""
    env = os.environ if environ is None else environ
    given = {k: v for k, v in (overrides or {}).items() if v is not None}
    home = Path(given.get("home") or env.get("ASYNCFLOW_HOME") or DEFAULT_HOME).expanduser().absolute()
    file = home / "asyncflow.toml"
    toml = _read_toml(file)
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for item in fields(Settings):
        found = _look_up(item.name, item.metadata["airflow"], given, env, toml, file)
        origins[item.name] = found[1] if found else Origin("default")
        if found:
            values[item.name] = _convert(item.name, hints[item.name], found[0], _place(found[1]))
        toml.pop(item.name, None)
    if toml:
        raise InvalidInput(f"{file} has settings that do not exist: {', '.join(sorted(toml))}.")
    values["home"] = home
    # Without "..": paths below the folder are told by their beginning.
    values["dags"] = Path(os.path.abspath(values.get("dags", "dags")))
    settings = Settings(**values)
    _check(settings)
    return settings, origins


def _look_up(
    name: str, airflow: str, given: Mapping[str, Any], env: Mapping[str, str], toml: Mapping[str, Any], file: Path
) -> tuple[Any, Origin] | None:
    """The value that counts, as it was written; None for the default."""
    if name in given:
        return given[name], Origin("command line")
    for variable in (f"ASYNCFLOW_{name.upper()}", _airflow_variable(airflow)):
        if variable and (text := env.get(variable)) is not None:
            return text, Origin("environment", variable)
    if name in toml:
        return toml[name], Origin("file", str(file))
    return None


def _place(origin: Origin) -> str:
    if origin.where.startswith("AIRFLOW__"):
        return "an AIRFLOW__ variable"
    return origin.where or f"the {origin.kind}"


def _check(settings: Settings) -> None:
    choices = {
        "executor": ("local", "sequential"),
        "start_mode": ("fork", "spawn"),
        "durability": ("normal", "full"),
        "venv_install_method": ("auto", "uv", "pip"),
        "dag_ignore_file_syntax": ("regexp", "glob"),
    }
    for name, accepted in choices.items():
        if getattr(settings, name) not in accepted:
            raise InvalidInput(f"Setting {name}={getattr(settings, name)!r}: accepted are {', '.join(accepted)}.")


def _airflow_variable(name: str) -> str:
    """What Airflow calls the environment variable of "section.key"; "" for none."""
    return f"AIRFLOW__{name.replace('.', '__').upper()}" if name else ""


def shown_value(settings: Settings, name: str) -> Any:
    """The value of a setting as it may be shown: that of a secret is hidden."""
    value = getattr(settings, name)
    return "***" if name.endswith("password") and value else value


def unused_airflow_variables(environ: Mapping[str, str] | None = None) -> list[str]:
    """Names of Airflow's settings that the environment holds and that mean nothing here."""
    env = os.environ if environ is None else environ
    known = {_airflow_variable(item.metadata["airflow"]) for item in fields(Settings)} | {_KEY}
    return sorted(name for name in env if name.startswith("AIRFLOW__") and name not in known)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from error


def _convert(name: str, kind: type, value: Any, where: str) -> Any:
    try:
        if kind is bool and isinstance(value, str):
            lowered = value.strip().lower()
            if lowered not in ("true", "false", "1", "0", "t", "f", "yes", "no"):
                raise ValueError(lowered)
            return lowered in ("true", "1", "t", "yes")
        if kind is Path:
            return Path(value).expanduser()
        return kind(value)
    except (TypeError, ValueError):
        raise InvalidInput(f"Setting {name} from {where}: {value!r} is not {_words(kind)}.") from None


def _words(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(kind, "valid")


def secret_from_environment(kind: str, name: str) -> str | None:
    """A Variable (kind "VAR") or Connection (kind "CONN") that the environment defines, as Airflow names it."""
    for prefix in ("AIRFLOW", "ASYNCFLOW"):
        text = os.environ.get(f"{prefix}_{kind}_{name.upper()}")
        if text is not None:
            return text
    return None


def names_in_environment(kind: str) -> dict[str, str]:
    """The Variables or Connections that the environment defines: its variable, by the name in lower case."""
    found: dict[str, str] = {}
    for prefix in ("ASYNCFLOW", "AIRFLOW"):
        start = f"{prefix}_{kind}_"
        found |= {name.removeprefix(start).lower(): name for name in os.environ if name.startswith(start)}
    return dict(sorted(found.items()))


def secret_key_from_environment() -> str | None:
    """The key for Variables and Connections; not a setting, lest it be printed with them."""
    return os.environ.get("ASYNCFLOW_SECRET_KEY") or os.environ.get(_KEY) or None
