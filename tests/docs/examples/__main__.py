"""Write the answers of all pages of examples anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.docs.examples import rest, websocket
from tests.docs.examples.servers import serving

with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as servers:
    rest.PAGE.write_text(rest.written(rest.PAGE.read_text(), servers))
    websocket.PAGE.write_text(websocket.written(websocket.PAGE.read_text(), servers))
