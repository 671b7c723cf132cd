"""A server that is overloaded, restarts, or shows a certificate that nobody signed."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import EngineError, Request, Sampling
from comd_workers.engines.openai import OpenAIEngine, open_engine
from comd_workers.engines.openai.pace import Pace

MANY = [Request(str(number), f"kaba {number}") for number in range(120)]
OVERLOADED = (429, {}, json.dumps({"error": {"message": "slow down"}}))


def opened(server: Any, **changes: Any) -> OpenAIEngine:
    fields = {"model": "m", "base_url": server.base_url, "api_key_env": None, "backoff_s": 0.01}
    return open_engine(OpenAIConfig(**(fields | changes)))


def test_it_backs_off_from_an_overloaded_server_and_recovers(chat_server: Any) -> None:
    """The server bears 3 at a time; every request is answered, and few are refused on the way."""
    bears, refused = [3], [0]

    def overloaded(text: str, before: int) -> Any:
        if chat_server.in_flight > bears[0]:
            refused[0] += 1
            return OVERLOADED
        return None

    chat_server.delay_s = 0.01
    chat_server.misbehave = overloaded
    with opened(chat_server, concurrency=32, max_retries=30) as engine:
        said = list(engine.generate(MANY, Sampling()))
        assert [completion.error for completion in said] == [None] * len(MANY)
        # Without backing off 29 of 32 would be refused each time round.
        assert refused[0] < 3 * len(MANY)
        slowed = engine.pace.limit
        assert slowed < 16

        bears[0] = 1000
        before = refused[0]
        for _ in range(12):
            chat_server.forget()
            list(engine.generate(MANY, Sampling()))
        assert refused[0] == before
        assert engine.pace.limit > max(slowed, 16)


def test_the_first_request_goes_alone(chat_server: Any) -> None:
    refused = (401, {}, json.dumps({"error": {"message": "Incorrect API key"}}))
    chat_server.misbehave = lambda text, before: refused
    with (
        opened(chat_server, concurrency=64) as engine,
        pytest.raises(EngineError, match="Incorrect API key"),
    ):
        list(engine.generate(MANY, Sampling()))
    assert len(chat_server.bodies) == 1


def test_a_server_that_restarts(chat_server: Any) -> None:
    """Gone while requests are on their way, back on the same port: nothing is lost."""
    restarted = threading.Event()

    def restart(text: str, before: int) -> Any:
        if text == "kaba 7" and not before:
            threading.Thread(target=lambda: (chat_server.restart(), restarted.set())).start()
            return "cut"
        return None

    chat_server.misbehave = restart
    with opened(chat_server, concurrency=8, max_retries=12, backoff_s=0.05) as engine:
        said = list(engine.generate(MANY[:40], Sampling()))
    assert restarted.wait(60)
    assert [completion.error for completion in said] == [None] * 40
    assert len({completion.key for completion in said}) == 40


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and certificate for localhost that nobody but themselves has signed."""
    path = tmp_path_factory.mktemp("tls") / "own.pem"
    made = [
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
        "-keyout", str(path), "-out", str(path.with_suffix(".crt")),
    ]  # fmt: skip
    try:
        subprocess.run(made, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl")
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def test_a_certificate_that_nobody_signed_ends_it_at_once(
    chat_server: Any, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    chat_server.encrypt(context)
    with (
        opened(chat_server, max_retries=50, backoff_s=30.0) as engine,
        pytest.raises(EngineError, match="certificate is not trusted") as error,
    ):
        list(engine.generate(MANY, Sampling()))
    assert "SSL_CERT_FILE" in (error.value.hint or "")
    assert chat_server.bodies == []
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    with opened(chat_server) as engine:
        assert [each.error for each in engine.generate(MANY[:3], Sampling())] == [None] * 3


@given(st.lists(st.sampled_from(["well", "too much", "leave"]), max_size=60), st.integers(1, 9))
def test_never_more_than_allowed_and_never_less_than_one(events: list[str], most: int) -> None:
    async def play() -> None:
        pace = Pace(most)
        for event in events:
            with await pace.enter() as call:
                if event == "well":
                    call.went_well()
                elif event == "too much":
                    call.too_much()
            assert 1 <= pace.limit <= most

    asyncio.run(play())


def test_a_cancelled_wait_gives_its_place_on() -> None:
    async def play() -> None:
        pace = Pace(1)
        first = await pace.enter()
        waiting = [asyncio.create_task(pace.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        with first:
            pass
        waiting[1].cancel()  # its place was given just now
        with await waiting[2]:
            pass
        with await pace.enter():
            pass

    asyncio.run(asyncio.wait_for(play(), 30))


def test_a_crowd_is_slowed_once() -> None:
    async def play() -> None:
        pace = Pace(16)
        with await pace.enter() as call:
            call.went_well()
        crowd = [await pace.enter() for _ in range(16)]
        for call in crowd:
            call.too_much()
        assert pace.limit == 8

    asyncio.run(play())
