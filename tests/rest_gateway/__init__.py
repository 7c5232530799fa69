"""Tests of the REST gateway: the process over its port."""
