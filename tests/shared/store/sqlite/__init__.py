"""The tests of the SQLite store."""
