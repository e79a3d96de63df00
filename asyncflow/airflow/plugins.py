"""`AirflowPlugin`: accepted so that plugin files import; what it registers for the web server has no use here."""

from __future__ import annotations

from typing import Any, ClassVar


class AirflowPlugin:
    """Base of plugin classes."""

    name: str | None = None
    source: Any = None
    operators: ClassVar[list[Any]] = []
    hooks: ClassVar[list[Any]] = []
    macros: ClassVar[list[Any]] = []
    timetables: ClassVar[list[Any]] = []
    admin_views: ClassVar[list[Any]] = []
    flask_blueprints: ClassVar[list[Any]] = []
    appbuilder_views: ClassVar[list[Any]] = []
    appbuilder_menu_items: ClassVar[list[Any]] = []
    global_operator_extra_links: ClassVar[list[Any]] = []
    operator_extra_links: ClassVar[list[Any]] = []
    listeners: ClassVar[list[Any]] = []
    priority_weight_strategies: ClassVar[list[Any]] = []

    @classmethod
    def validate(cls) -> None:
        """Raises ValueError if the plugin has no name."""
        if not cls.name:
            raise ValueError("Your plugin needs a name.")

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Called by Airflow when the plugin is loaded."""
