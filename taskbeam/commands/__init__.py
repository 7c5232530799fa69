"""The commands, a module for each or for one family. ``taskbeam.cli`` names them, and imports one when it is used."""
