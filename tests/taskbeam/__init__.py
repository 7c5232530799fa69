"""The command line: the modules of ``taskbeam``, and the commands as processes."""
