"""What ``taskbeam serve`` itself has to say: on standard error, in the form of its servers' log, and waiting for no reader."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from shared.log_writer import LogWriter
from shared.logs import configure_logging
from shared.settings import PREFIX
from taskbeam.errors import CommandError

_LEVEL = "WARNING"

log = logging.getLogger(__name__)


def configure(log_format: str) -> None:
    """Log to standard error from now on."""
    if log_format == "json":
        configure_logging("taskbeam", log_format, _LEVEL)
    else:
        writer = LogWriter(sys.stderr.fileno(), logging.Formatter("taskbeam: %(message)s"))
        logging.basicConfig(level=_LEVEL, handlers=[writer], force=True)


def format_in(environ: Mapping[str, str]) -> str:
    """The form of the log where the settings cannot be read."""
    return environ.get(f"{PREFIX}LOG_FORMAT", "").lower()


def say_why_it_ends(error: CommandError) -> None:
    """A line for each thing that is wrong."""
    for line in error.lines:
        log.critical("%s", line)
