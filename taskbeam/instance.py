"""One instance of Taskbeam: its data folder, and the settings that its environment and its settings file give."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote

from shared.postgres_url import parse_postgres_url, with_data_folder
from shared.settings import PREFIX, VARIABLES, Settings, SettingsError, load_settings
from taskbeam.env_file import read_env_file
from taskbeam.errors import BadSettings
from taskbeam.remote.addresses import URL_VARIABLE

DEFAULT_DATA: Final = "var"
SETTINGS_FILE: Final = ".env"
WORKERS: Final = "WORKERS"
"""The variable with the number of WebSocket workers."""

_DATABASE_URL: Final = f"{PREFIX}DATABASE_URL"
_KNOWN: Final = tuple(PREFIX + variable.name for variable in VARIABLES)
_NOT_SETTINGS: Final = frozenset({URL_VARIABLE})
"""Variables of the same prefix that the commands for users read."""


class Instance(NamedTuple):
    """``environ`` is what a process of the instance gets: the environment, with what the settings file adds to it.

    ``settings_file`` is the one that was read, if any.
    """

    data: Path
    environ: dict[str, str]
    settings: Settings
    workers: int
    settings_file: Path | None


def find_instance(environ: Mapping[str, str], data: Path | None, env_file: Path | None) -> Instance:
    """The instance of a data folder, as `read_instance`.

    Raises:
        BadSettings: naming everything that is wrong at once.
    """
    instance, problems = read_instance(environ, data, env_file)
    if problems:
        raise BadSettings(problems)
    return instance


def read_instance(
    environ: Mapping[str, str], data: Path | None, env_file: Path | None
) -> tuple[Instance, list[str]]:
    """The instance of a data folder, by default ``var`` in the current one, and a line for each setting that is wrong.

    Of one variable, the environment's value counts before that of the settings file: ``env_file``, or else ``.env`` in
    the data folder. The database is in the data folder unless a variable says otherwise. A setting that is wrong has its
    default.

    Raises:
        BadSettings: the settings file cannot be read, or the folder's path is none that settings can have.
    """
    folder = Path(data or DEFAULT_DATA).absolute()
    settings_file = env_file or _own_settings_file(folder)
    from_file, problems = ({}, []) if settings_file is None else read_env_file(settings_file)
    # An empty variable counts as not set, in the environment too.
    merged = {**environ, **{name: value for name, value in from_file.items() if not environ.get(name)}}
    merged[_DATABASE_URL] = database_in_folder(merged.get(_DATABASE_URL, ""), folder)
    named = {name for name in merged if name.startswith(PREFIX)}
    problems += [_unknown(name) for name in sorted(named - {*_KNOWN} - _NOT_SETTINGS)]
    workers = merged.get(WORKERS) or "1"
    if not re.fullmatch(r"[1-9][0-9]{0,3}", workers):
        problems.append(f"{WORKERS}: expected an integer from 1 to 9999, not {workers!r}")
        workers = "1"
    try:
        settings = load_settings(merged)
    except SettingsError as error:
        problems += error.problems
        wrong = {problem.partition(":")[0] for problem in error.problems}
        settings = load_settings({name: value for name, value in merged.items() if name not in wrong})
    return Instance(folder, merged, settings, int(workers), settings_file), problems


def database_in_folder(database_url: str, folder: Path) -> str:
    """The URL, by default of the folder's own database; it names the folder where it is another machine's."""
    if not database_url:
        return f"sqlite:///{quote(str(folder / 'taskbeam.db'))}"
    try:
        parse_postgres_url(database_url)
    except ValueError:
        return database_url
    return with_data_folder(database_url, folder)


def _own_settings_file(folder: Path) -> Path | None:
    """Raises BadSettings."""
    path = folder / SETTINGS_FILE
    try:
        str(path).encode()
        return path if path.exists() else None
    except UnicodeEncodeError as error:
        raise BadSettings([f"{folder}: the path of the data folder must be UTF-8"]) from error
    except OSError as error:  # not allowed, too long
        raise BadSettings([f"{path}: {error.strerror}"]) from error


def _unknown(name: str) -> str:
    (nearest,) = difflib.get_close_matches(name, _KNOWN, n=1, cutoff=0)
    return f"{name}: no setting has this name; the nearest is {nearest}"
