"""Tests of what is PostgreSQL's alone."""
