"""Pictures of the page at ``/app/``: ``python -m tests.browser.screenshots FOLDER`` takes each of its states, in Chromium and in
Firefox; without a folder, the one that README.md shows."""

from __future__ import annotations

import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from selenium.webdriver import Chrome, Keys

from tests.browser.app import AnyApp, App, open_app
from tests.support.chromium import chromium
from tests.support.clients import PASSWORD, Account, new_account
from tests.support.firefox import Firefox, firefox
from tests.support.processes import ROOT, System, running

README_PICTURE: Final = ROOT / "docs/images/app.png"

_SIZES: Final = {"": (1000, 760), "-phone": (390, 760)}
_TASKS: Final = (
    {"task": "Buy milk", "description": "2 litres, the green one"},
    {"task": "Walk the dog", "completed": True},
    {"task": "W" * 255},
    {"task": "שלום עולם, זו משימה ארוכה בעברית עם הרבה מילים", "description": "עוד קצת פרטים"},
    {
        "task": "Read RFC 6455",
        "description": "https://www.rfc-editor.org/rfc/rfc6455\nSections 5 and 7 first",
    },
)
_TASKS_OF_README: Final = (
    {"task": "Buy milk", "description": "2 litres, the green one", "completed": True},
    {"task": "Book the train to Lyon"},
    {"task": "Answer Ben about Saturday"},
    {"task": "Read RFC 6455", "description": "Sections 5 and 7 first"},
)


class Camera:
    """Takes each state in light, in dark, and as wide as a phone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, app: AnyApp, state: str) -> None:
        app.wait_for("return !document.querySelector('.fresh')")
        for suffix, size in _SIZES.items():
            app.resize(*size)
            for scheme in app.schemes if not suffix else app.schemes[:1]:
                app.show_scheme(scheme)
                app.picture(self._folder / f"{state}{suffix}{'-dark' if scheme == 'dark' else ''}.png")
        app.show_scheme(app.schemes[0])
        app.resize(*_SIZES[""])


def take_all(browser: Chrome | Firefox, system: System, camera: Camera) -> None:
    """Lead the page through its states."""
    account = new_account(system)
    app = open_app(browser, system)
    app.forget()
    camera.take(app, "first-visit")
    app.log_in(account.username, "short")
    app.sees("#password-problem", "short")
    camera.take(app, "refused")
    app.enter(account)
    camera.take(app, "empty")
    show = "for (const id of ['empty', 'loading']) document.getElementById(id).hidden = id === arguments[0]"
    app.run(show, "empty")
    camera.take(app, "loading")
    app.run(show, "loading")
    milk, dog, *_ = [account.rest("POST", "/", task).body["uuid"] for task in _TASKS]
    app.sees("#list", "Read RFC 6455")
    camera.take(app, "list")
    app.click("#list .cross")
    app.sees("#notices", "Deleted")
    camera.take(app, "undo")
    app.choose("Undo")
    app.click("#frames-toggle")
    camera.take(app, "frames")
    app.click("#frames-close")
    app.edit("Buy milk", "Buy bread")
    account.rest("PATCH", f"/task/{milk}/", {"task": "Buy oat milk"})
    app.sees(".clash", "oat")
    camera.take(app, "clash")
    app.type(Keys.ESCAPE)
    _offline(system, app, camera, account, milk, dog)
    account.rest("PATCH", "/me/", {"current_password": PASSWORD, "password": "another password"})
    app.sees("#entrance-text", "has ended")
    camera.take(app, "log-in-ended")
    app.close()


def _offline(system: System, app: AnyApp, camera: Camera, account: Account, milk: str, dog: str) -> None:
    system.ws.kill()
    app.sees("#connection", "Offline")
    app.edit("Buy oat milk", "Buy eggs")
    app.type(Keys.ENTER)
    app.click(f"{app.row('Walk the dog')} .cross")
    app.sees("#banner", "2 changes wait")
    camera.take(app, "offline")
    account.rest("PATCH", f"/task/{milk}/", {"task": "Buy soy milk"})
    account.rest("PATCH", f"/task/{dog}/", {"task": "Walk both dogs"})
    system.ws.start()
    app.sees("#failures", "2 changes need you")
    app.choose("Show")
    camera.take(app, "conflict")
    app.choose("Keep mine")
    app.choose("Keep it")


def take_for_readme(browser: Chrome, system: System) -> None:
    """A short list, to which another client has just added a task, and the frames that say so."""
    account = new_account(system, "ann")
    for task in _TASKS_OF_README[:-1]:
        account.rest("POST", "/", task)
    app = App(browser, system)
    app.forget()
    app.enter(account)
    app.click("#frames-toggle")
    account.rest("POST", "/", _TASKS_OF_README[-1])
    app.sees("#list", "Read RFC 6455")
    app.show_scheme("light")
    app.run("document.activeElement.blur()")
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    app.resize(1000, 900)
    app.picture(README_PICTURE)
    app.close()


def main(folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as data, running(Path(data)) as system:
        if folder is None:
            README_PICTURE.parent.mkdir(parents=True, exist_ok=True)
            with chromium() as browser:
                take_for_readme(browser, system)
            return
        browsers: dict[str, AbstractContextManager[Chrome | Firefox]] = {
            "chromium": chromium(),
            "firefox": firefox("light"),
            "firefox-dark": firefox("dark"),
        }
        for name, starting in browsers.items():
            pictures = folder / name
            pictures.mkdir(parents=True, exist_ok=True)
            with starting as each:
                take_all(each, system, Camera(pictures))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
