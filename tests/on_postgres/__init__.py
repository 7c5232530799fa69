"""Tests of other folders, once more on PostgreSQL and Valkey."""
