"""``Containerfile`` without a container: its instructions, and its steps carried out in a folder of this machine."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.processes import ROOT

FILE: Final = ROOT / "Containerfile"
IGNORED: Final = ROOT / ".containerignore"
VERSION: Final[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
_INSIDE: Final = re.compile(r"(?<![\w./-])/(opt|source|var/lib)\b")
"""The image's own folders, where a path begins with one."""


class Instruction(NamedTuple):
    name: str
    text: str

    def words(self) -> list[str]:
        """The command in its form of JSON, behind the options."""
        command: list[str] = json.loads(self.text[self.text.index("[") :])
        return command


def instructions() -> list[Instruction]:
    """All of them, each on one line."""
    lines = (line for line in FILE.read_text().splitlines() if not line.startswith("#"))
    joined = "\n".join(lines).replace("\\\n", " ")
    return [Instruction(*line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def stages() -> list[list[Instruction]]:
    """The instructions behind each ``FROM``, which is the first."""
    found: list[list[Instruction]] = []
    for is_from, group in groupby(instructions(), key=lambda each: each.name == "FROM"):
        if is_from:
            found.extend([each] for each in group)
        else:
            found[-1].extend(group)
    return found


def only(name: str) -> Instruction:
    """The instruction of that name, of which the last stage has one."""
    (instruction,) = (each for each in stages()[-1] if each.name == name)
    return instruction


def environ() -> dict[str, str]:
    """What the image sets."""
    return dict(word.split("=", 1) for word in shlex.split(only("ENV").text))


def let_in() -> list[str]:
    """The paths that ``.containerignore`` leaves in the build's context."""
    lines = [line for line in IGNORED.read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    assert lines[-1] == "**/__pycache__"
    assert all(line.startswith("!") for line in lines[1:-1]), lines
    return [line.removeprefix("!") for line in lines[1:-1]]


class Image(NamedTuple):
    """What a container of it would have, below a folder."""

    folder: Path

    def mapped(self, text: str) -> str:
        return _INSIDE.sub(rf"{self.folder}/\1", text)

    def environ(self, **settings: str) -> dict[str, str]:
        """Of a container: what the image sets, and settings with their prefix."""
        path = os.environ["PATH"]
        ours = {name: self.mapped(value).replace("$PATH", path) for name, value in environ().items()}
        return {"PATH": path, "HOME": str(self.folder), **ours, **settings}

    def start(
        self, command: Sequence[str], log: Path, settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """A container with this command."""
        environment = self.environ(**settings)
        program, *arguments = map(self.mapped, command)
        found = shutil.which(program, path=environment["PATH"])
        assert found is not None
        assert found.startswith(str(self.folder)), f"{program} is not the image's"
        with log.open("wb") as output:
            return subprocess.Popen(
                [found, *arguments],
                cwd=self.mapped(only("WORKDIR").text),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def is_healthy(self, check: Sequence[str], ports: Mapping[int, int]) -> bool:
        """The answer of a health check's command, ``ports`` in the place of the image's."""
        text = json.dumps(list(check))
        for port, ours in ports.items():
            text = re.sub(rf"\b{port}\b", str(ours), text)
        command: list[str] = json.loads(text)
        done = subprocess.run(command, env=self.environ(), capture_output=True, check=False, timeout=30)
        return done.returncode == 0


def build(folder: Path) -> Image:
    """Carry out the steps of the first stage: what is copied, and each command.

    The stages are of one folder, so that the copy from one to the other is none. The user of the last one is left out.
    """
    image = Image(folder)
    source = Path(image.mapped("/source"))
    for name in let_in():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    for instruction in stages()[0]:
        if instruction.name == "RUN":
            # --no-cache-dir makes an image small, and this slow.
            command = image.mapped(instruction.text).replace(" --no-cache-dir", "")
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=source,
                env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    shutil.rmtree(source)  # the last stage does not have it
    Path(image.mapped("/var/lib/taskbeam")).mkdir(parents=True, mode=0o700)
    return image
