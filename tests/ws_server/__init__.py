"""Tests of the WebSocket server: its modules one by one, and the process over its port."""
