"""Certificates that nobody has signed, for servers of tests on this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest


class Certificate(NamedTuple):
    """Two files."""

    certificate: Path
    key: Path


def make_certificate(folder: Path) -> Certificate:
    """One for 127.0.0.1. Skips the test where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    made = Certificate(folder / "certificate", folder / "key")
    options = f"req -x509 -newkey rsa:2048 -nodes -days 2 -out {made.certificate} -keyout {made.key} -subj /CN=localhost"
    subprocess.run(
        [openssl, *options.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True
    )
    return made
