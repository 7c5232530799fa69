"""The tables of the documentation are what the code, or the page that they are made from, says."""

from __future__ import annotations

import pytest

from rest_gateway.documents import ASYNCAPI
from shared.settings import VARIABLES
from tests.docs.tables import TABLES, Table, javascript_client
from tests.npm.node import require_node
from ws_server.asyncapi import document_text


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_table_is_up_to_date(table: Table) -> None:
    page = table.page.read_text()
    assert page == table.put_into(page), "run: .venv/bin/python -m tests.docs.tables"


def test_the_reference_of_the_javascript_client_is_up_to_date() -> None:
    test_the_table_is_up_to_date(javascript_client(require_node()))


def test_the_websocket_document_is_up_to_date() -> None:
    assert ASYNCAPI.read_text() == document_text(), "run: .venv/bin/python -m tests.docs.tables"


def test_a_page_without_a_place_for_its_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for"):
        TABLES[0].put_into("# A page\n")


def test_the_number_of_settings() -> None:
    assert len(VARIABLES) == 31
