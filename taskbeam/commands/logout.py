"""``taskbeam logout``: end a login, here and at the server."""

from __future__ import annotations

import click

from taskbeam.remote.addresses import url_option


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print an object: url.")
@url_option
def logout(as_json: bool, url: str | None) -> None:
    """Log out: the kept tokens, and all sessions made with them, end."""
    from taskbeam.errors import ServerAway
    from taskbeam.output import write_json
    from taskbeam.remote.http import send
    from taskbeam.remote.logins import Logins

    logins = Logins()
    login = logins.get(url)
    logins.remove(login.url)
    try:
        send(login.url, "POST", "/logout/", {"refresh": login.refresh})
    except ServerAway as away:
        raise ServerAway(
            f"The tokens are forgotten here, but live on at the server. {away.message}"
        ) from None
    if as_json:
        write_json({"url": login.url})
    else:
        click.echo(f"Logged out at {login.url}.")
