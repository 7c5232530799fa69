"""The REST gateway: accounts, tasks and their changes over HTTP."""
