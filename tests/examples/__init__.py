"""The programs of ``examples/``, against real servers."""
