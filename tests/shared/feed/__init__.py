"""The tests of the change feed."""
