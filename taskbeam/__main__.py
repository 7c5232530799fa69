"""``python -m taskbeam``: the command line, as ``taskbeam``."""

from taskbeam.cli import main

if __name__ == "__main__":
    main(prog_name="taskbeam")
