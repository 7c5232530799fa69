"""A model-based test: random devices, random faults, and a checker of what all of them saw.

``TASKBEAM_TEST_SEED=7 TASKBEAM_TEST_SECONDS=600 pytest tests/model`` repeats a seed, for ten minutes.
The seed decides what is tried, not how the processes' timing falls out.
"""
