"""What the pages call: the actions of the engine, their one door to it."""

from __future__ import annotations

from asyncflow.engine.actions import Actions

__all__ = ["Actions"]
