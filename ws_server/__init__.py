"""The WebSocket server of the task protocol."""
