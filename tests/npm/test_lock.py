"""The lock file names packages by their hashes; npm's settings decide where they come from."""

from __future__ import annotations

import json

from tests.npm.node import FOLDER


def test_every_package_has_its_hash_and_no_address() -> None:
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    del packages[""]  # the folder's own
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages.values())
