"""Tests of the modules of ``shared``, without the processes, and of the store."""
