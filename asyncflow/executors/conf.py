"""Settings as Airflow's configuration names them: what `airflow.configuration.conf` answers in children."""

from __future__ import annotations

from dataclasses import fields

from asyncflow.config import Settings


def airflow_conf(settings: Settings) -> dict[str, str]:
    """Flat "section.key" -> text, of the settings that have a name in Airflow."""
    found = {
        item.metadata["airflow"]: str(getattr(settings, item.name))
        for item in fields(settings)
        if item.metadata["airflow"]
    }
    found["core.home"] = str(settings.home)
    found["core.plugins_folder"] = str(settings.plugins_folder)
    found["core.parallelism"] = str(settings.slots)
    found["core.executor"] = "SequentialExecutor" if settings.executor == "sequential" else "LocalExecutor"
    found["logging.base_log_folder"] = str(settings.logs)
    if not settings.default_task_execution_timeout:
        del found["core.default_task_execution_timeout"]
    return found
