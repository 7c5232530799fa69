"""The pages of examples: each request in them is sent to real servers, and each answer is what came back.

``python -m tests.docs.examples`` writes the answers anew; a test compares them.
"""
