"""The launcher and supervisord's settings, with real processes."""
