"""Settings of what stands around the servers: systemd, proxies."""
