"""A model-based test: random clients, random faults, and a checker of what all clients saw.

``TASKBEAM_TEST_SEED=7 TASKBEAM_TEST_SECONDS=600 pytest tests/model`` repeats a seed, for ten minutes.
The seed decides what is attempted, not the timing of the processes.
"""
