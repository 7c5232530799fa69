"""The command ``taskbeam``: which commands there are. A command's module is imported when the command is used."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple

import click

from shared.startup import open_standard_streams
from taskbeam.errors import NO_ROOM, CommandError, report


class Entry(NamedTuple):
    """Where a command is, as ``module:name``, and its line in the list of commands: its help's first sentence."""

    target: str
    summary: str

    def load(self) -> click.Command:
        module, _, name = self.target.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


COMMANDS: Final = {
    "serve": Entry("taskbeam.commands.serve:serve", "Start both servers, and supervise them."),
    "demo": Entry(
        "taskbeam.commands.demo:demo", "Start both servers with two users and their tasks, to try them."
    ),
    "supervisorctl": Entry(
        "taskbeam.commands.supervisorctl:supervisorctl", "Ask or tell the supervisor of a data folder."
    ),
    "login": Entry("taskbeam.commands.login:login", "Log in at a server, for the commands that follow."),
    "logout": Entry(
        "taskbeam.commands.logout:logout", "Log out: the kept tokens, and all sessions made with them, end."
    ),
    "ls": Entry("taskbeam.commands.ls:ls", "List your tasks."),
    "add": Entry("taskbeam.commands.add:add", "Add a task; its text may be several words."),
    "edit": Entry(
        "taskbeam.commands.edit:edit", "Change a task's text, its description, or whether it is done."
    ),
    "done": Entry("taskbeam.commands.done:done", "Mark tasks as done."),
    "rm": Entry("taskbeam.commands.rm:rm", "Delete tasks for good."),
    "watch": Entry("taskbeam.commands.watch:watch", "Show your tasks, and every change as it happens."),
    "export": Entry(
        "taskbeam.commands.export:export", "Write all your tasks to FILE, or to standard output."
    ),
    "import": Entry(
        "taskbeam.commands.import_:import_", "Add the tasks of FILE, or of standard input (-), to yours."
    ),
    "migrate": Entry(
        "taskbeam.commands.migrate:migrate", "Make the database, or bring its schema up to date."
    ),
    "check": Entry(
        "taskbeam.commands.check:check", "Check the database, its files, the key and this installation."
    ),
    "stats": Entry("taskbeam.commands.stats:stats", "Count users, tasks, changes and sessions."),
    "user": Entry(
        "taskbeam.commands.user:user",
        "Accounts: add, list, disable, enable, set a password, remove, export, import.",
    ),
    "token": Entry("taskbeam.commands.token:token", "Tokens: hand out a pair, look at one."),
    "key": Entry("taskbeam.commands.key:key", "The key that signs tokens."),
    "backup": Entry("taskbeam.commands.backup:backup", "Copy the database into FILE, while it is served."),
    "restore": Entry(
        "taskbeam.commands.restore:restore",
        "Put the backup FILE in the place of the database, which no server may have open.",
    ),
    "copy": Entry(
        "taskbeam.commands.copy:copy",
        "Copy the database SOURCE into the new database TARGET, from SQLite to PostgreSQL or back.",
    ),
    "new-epoch": Entry(
        "taskbeam.commands.new_epoch:new_epoch",
        "Tell clients that the database was restored, after pg_restore.",
    ),
    "import-django": Entry(
        "taskbeam.commands.import_django:import_django",
        "Take in the users and tasks of a Django application.",
    ),
}
"""By name, in the order of ``taskbeam --help``."""


class LazyGroup(click.Group):
    """Finds its commands in `COMMANDS`, and lists them without an import. Ends as ``taskbeam.errors`` says."""

    def main(self, args: Sequence[str] | None = None, *arguments: Any, **named: Any) -> Any:
        open_standard_streams()
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # by ?, what the terminal's encoding does not have
        try:
            status = super().main(args, *arguments, **{**named, "standalone_mode": False})
        except (CommandError, click.ClickException, click.Abort) as error:
            status = report(error)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            sys.stdout = io.StringIO()  # the interpreter's end must not try the rest
            status = report(error)
        sys.exit(status)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        return None if entry is None else entry.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="taskbeam", message="%(prog)s %(version)s")
def main() -> None:
    """Taskbeam, a self-hosted, real-time task backend."""
