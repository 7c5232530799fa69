"""The engines that the contract's suite runs against."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.settings import Settings, load_settings

ENGINES: Final[dict[str, Callable[[Path], str]]] = {
    "sqlite": lambda folder: f"sqlite:///{folder}/taskbeam.db",
}
"""By name: the URL of a database that is empty as long as the folder is new."""


def engine_settings(engine: str, folder: Path) -> Settings:
    return load_settings({"TASKBEAM_DATABASE_URL": ENGINES[engine](folder)})
