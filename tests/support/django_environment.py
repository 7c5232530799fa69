"""An environment with Django, which is no dependency of ours: made once, in ``.venv-django``."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.processes import ROOT

_FOLDER: Final = ROOT / ".venv-django"
_WANTED: Final = "django>=5.2,<6 djangorestframework>=3.16 djangorestframework-simplejwt>=5.5 argon2-cffi bcrypt psycopg[binary]"
_INSTALL_SECONDS: Final = 300
_RUN_SECONDS: Final = 60


def make_application_database(database: Path | str) -> dict[str, Any]:
    """What ``tests.support.django_application`` makes and says.

    Skips the test where Django cannot be installed; in CI, fails.
    """
    program = ROOT / "tests" / "support" / "django_application.py"
    done = subprocess.run(
        [_python(), program, database], capture_output=True, text=True, timeout=_RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _python() -> Path:
    python, made = _FOLDER / "bin" / "python", _FOLDER / "made"
    _FOLDER.mkdir(exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several workers of pytest may want it at once
        if not made.exists() or made.read_text() != _WANTED:
            _install(python)
            made.write_text(_WANTED)
    return python


def _install(python: Path) -> None:
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *_WANTED.split()]
    try:
        for command in ([sys.executable, "-m", "venv", str(_FOLDER)], pip):
            subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        reason = f"Django cannot be installed: {getattr(error, 'stderr', None) or error}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
