"""``taskbeam login``: begin to be a user at a server."""

from __future__ import annotations

import click

from taskbeam.remote.addresses import check_socket, url_option


@click.command()
@click.argument("username", required=False)
@url_option
@click.option(
    "--socket",
    metavar="URL",
    callback=check_socket,
    help="The server's WebSocket address.  [default: that of the login before, or made from the REST address]",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input: its first line.")
@click.option("--json", "as_json", is_flag=True, help="Print an object: username, user_id, url, socket.")
def login(
    username: str | None, url: str | None, socket: str | None, password_stdin: bool, as_json: bool
) -> None:
    """Log in at a server, for the commands that follow.

    Keeps tokens in a file of yours, and never the password. The server of the last login is the one that the other commands
    use, unless they are told another.
    """
    from taskbeam.output import one_line, write_json
    from taskbeam.passwords import first_line
    from taskbeam.remote.addresses import socket_of
    from taskbeam.remote.api import log_in
    from taskbeam.remote.logins import Logins

    logins = Logins()
    url = url or logins.last_url()
    if password_stdin and username is None:
        raise click.UsageError("--password-stdin needs the user's name as an argument.")
    if username is None:
        username = click.prompt("Username", err=True)
    if password_stdin:
        password = first_line("Password")
    else:
        password = click.prompt(f"Password of {one_line(username)} at {url}", hide_input=True, err=True)
    begun = log_in(url, socket or logins.last_socket(url) or socket_of(url), username, password)
    logins.put(begun)
    if as_json:
        write_json({"username": begun.username, "user_id": begun.user_id, "url": url, "socket": begun.socket})
    else:
        click.echo(f"Logged in at {url} as {begun.username}.")
