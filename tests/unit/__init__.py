"""Tests of single modules, without the processes."""
