"""The launcher, supervisord and proxies, with real processes."""
