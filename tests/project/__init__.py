"""Tests of the house itself: its imports, its Makefile."""
