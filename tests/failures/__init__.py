"""Faults done to real processes: killed, stopped, told to end, their disk full, their lock held."""
