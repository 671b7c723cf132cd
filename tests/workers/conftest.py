"""What tests of workers and of their engines share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_chat import ChatServer


@pytest.fixture
def chat_server() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.stop()
