"""Databases that earlier versions made. README.md says how."""
