"""What the commands for users share: a server's public API over the network, and a login that is kept. No store, no settings."""
