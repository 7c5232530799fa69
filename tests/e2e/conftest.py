"""End to end on both event loops."""

from __future__ import annotations

import pytest

from tests.support.processes import System


@pytest.fixture
def system(each_system: System) -> System:
    return each_system
