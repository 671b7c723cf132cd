"""Who is let in: the rules one by one, and a dashboard as it is served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser import served
from sqlalchemy import URL
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from comd_dashboard import guard
from comd_dashboard.guard import COOKIE, HEALTH, USER, ByPassword, ByProxy, Guard, OnThisMachine
from comd_dashboard.launch import NoNetwork, Unprotected, command, is_this_machine, trusted_networks
from comd_platform.settings import Settings, SettingsError, get_settings

PASSWORD = "correct horse"


async def _who(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.headers.get(USER, "(nobody asked)"))


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.headers[USER])
    await socket.close()


def client(by: Guard, host: str = "localhost", peer: str = "127.0.0.1") -> TestClient:
    inner = Starlette(
        routes=[
            Route("/", _who),
            Route("/browse", _who),
            Route(HEALTH, _who),
            WebSocketRoute("/stream", _talk),
        ],
        middleware=[Middleware(guard.Protection, guard=by)],
    )
    return TestClient(
        inner, base_url=f"http://{host}", client=(peer, 50000), follow_redirects=False
    )


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_WRONG_SECONDS", 0.0)


@pytest.mark.parametrize("host", ["localhost", "localhost:8501", "127.0.0.1:8501", "[::1]:8501"])
def test_on_this_machine_nobody_is_asked(host: str) -> None:
    asked = client(OnThisMachine())
    assert asked.get("/", headers={"host": host}).text == ""
    # Nobody says who they are by themselves.
    assert asked.get("/", headers={"host": host, USER: "root"}).text == ""


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_was_turned_to_this_machine_is_refused(host: str) -> None:
    asked = client(OnThisMachine())
    assert asked.get("/", headers={"host": host}).status_code == 403
    with (
        pytest.raises(WebSocketDisconnect),
        asked.websocket_connect("/stream", headers={"host": host}),
    ):
        pass


def test_the_proxy_names_the_user_and_nobody_else_does() -> None:
    proxies = trusted_networks(Settings(dashboard_trusted_proxy="10.1.0.0/16, ::1"))
    by = ByProxy("X-Forwarded-User", proxies)
    asked = client(by, peer="10.1.2.3")
    assert asked.get("/", headers={"x-forwarded-user": "Ada Lovelace"}).text == "Ada%20Lovelace"
    with asked.websocket_connect("/stream", headers={"x-forwarded-user": "ada"}) as socket:
        assert socket.receive_text() == "ada"
    assert asked.get("/").status_code == 403
    assert asked.get("/", headers={USER: "ada"}).status_code == 403
    stranger = client(by, peer="10.2.0.1")
    assert stranger.get("/", headers={"x-forwarded-user": "ada"}).status_code == 403
    told = {"x-forwarded-user": "ada", "x-forwarded-for": "10.1.2.3"}
    assert stranger.get("/", headers=told).status_code == 403


def test_a_password_is_asked_for_before_anything_is_shown() -> None:
    asked = client(ByPassword(PASSWORD))
    page = asked.get("/browse?run=a", headers={"accept": "text/html"})
    assert page.status_code == 303
    assert page.headers["location"] == "/login?next=%2Fbrowse%3Frun%3Da"
    assert asked.get("/browse").status_code == 401
    assert asked.get(HEALTH).status_code == 200
    with pytest.raises(WebSocketDisconnect), asked.websocket_connect("/stream"):
        pass


def test_who_signs_in_is_sent_on_and_known_by_name() -> None:
    asked = client(ByPassword(PASSWORD))
    form = {"name": "Zoë <b>", "password": PASSWORD, "next": "/browse?run=a"}
    done = asked.post("/login", data=form)
    assert (done.status_code, done.headers["location"]) == (303, "/browse?run=a")
    assert "httponly" in done.headers["set-cookie"].lower()
    assert "samesite=lax" in done.headers["set-cookie"].lower()
    assert asked.get("/").text == "Zo%C3%AB%20%3Cb%3E"
    headers = {"cookie": f"{COOKIE}={asked.cookies[COOKIE]}"}
    with asked.websocket_connect("/stream", headers=headers) as socket:
        assert socket.receive_text() == "Zo%C3%AB%20%3Cb%3E"
    assert asked.get("/logout").headers["location"] == "/login"
    assert asked.get("/").status_code == 401


def test_wrong_passwords_and_made_up_cookies_are_refused() -> None:
    by = ByPassword(PASSWORD)
    asked = client(by)
    for form in ({"name": "a", "password": "x"}, {"name": "a"}, {}, {"password": "x" * 20_000}):
        assert asked.post("/login", data=form).status_code == 401
    assert asked.post("/login", data={"name": " ", "password": PASSWORD}).status_code == 400
    asked.post("/login", data={"name": "ada", "password": PASSWORD})
    cookie = asked.cookies[COOKIE]
    name, until, mac = cookie.split(".")
    bad = ("", "x", "..", f"bob.{until}.{mac}", f"{name}.99999999999.{mac}", f"{name}.{until}.")
    for forged in bad:
        told = client(by).get("/", headers={"cookie": f"{COOKIE}={forged}"})
        assert told.status_code == 401, forged
    # Another process has another key.
    again = client(ByPassword(PASSWORD)).get("/", headers={"cookie": f"{COOKIE}={cookie}"})
    assert again.status_code == 401


def test_an_old_cookie_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = client(ByPassword(PASSWORD))
    asked.post("/login", data={"name": "ada", "password": PASSWORD})
    cookie = asked.cookies[COOKIE]
    headers = {"cookie": f"{COOKIE}={cookie}"}
    later = guard.time.time() + 8 * 86_400
    monkeypatch.setattr(guard.time, "time", lambda: later)
    asked.cookies.clear()
    assert asked.get("/", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "onward", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/a\nb"]
)
def test_signing_in_leads_nowhere_else(onward: str) -> None:
    asked = client(ByPassword(PASSWORD))
    form = {"name": "ada", "password": PASSWORD, "next": onward}
    assert asked.post("/login", data=form).headers["location"] == "/"


def test_what_is_put_into_the_login_page_stays_text() -> None:
    page = client(ByPassword(PASSWORD)).get('/login?next=/"><script>alert(1)</script>')
    assert "<script" not in page.text


def test_every_answer_forbids_what_is_not_ours() -> None:
    for asked in (client(OnThisMachine()).get("/"), client(ByPassword("x")).get("/login")):
        policy = asked.headers["content-security-policy"]
        assert "img-src 'self' data: blob:" in policy
        assert "connect-src 'self'" in policy
        assert asked.headers["x-content-type-options"] == "nosniff"


def test_beyond_this_machine_only_with_a_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    get_settings.cache_clear()
    for address in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        assert not is_this_machine(address)
        with pytest.raises(Unprotected) as error:
            command(8501, address)
        assert "--password-file" in str(error.value.hint)
    for address in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
        assert command(8501, address)
    monkeypatch.setenv("COMD_DASHBOARD_PASSWORD", PASSWORD)
    get_settings.cache_clear()
    assert "0.0.0.0" in command(8501, "0.0.0.0")
    get_settings.cache_clear()


def test_an_empty_password_and_a_proxy_that_is_no_address_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NoNetwork, match="'my-proxy' is neither"):
        trusted_networks(Settings(dashboard_trusted_proxy="::1,my-proxy"))
    monkeypatch.setenv("COMD_DASHBOARD_PASSWORD", "")
    get_settings.cache_clear()
    with pytest.raises(SettingsError, match="COMD_DASHBOARD_PASSWORD"):
        command(8501, "0.0.0.0")
    get_settings.cache_clear()


@pytest.fixture
def guarded(synthetic: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("COMD_DASHBOARD_PASSWORD", PASSWORD)
    with served(synthetic, tmp_path / "log") as address:
        yield address


def test_pages_pictures_and_websocket_stand_behind_one_guard(guarded: str) -> None:
    stream = guarded.replace("http", "ws") + "/_stcore/stream"
    with httpx.Client(base_url=guarded) as stranger:
        picture = "/pictures/small/" + "a" * 64
        for path in (
            "/",
            "/browse",
            picture,
            "/_stcore/host-config",
            "/_stcore/metrics",
            "/media/x",
        ):
            assert stranger.get(path).status_code == 401, path
        assert stranger.post("/_stcore/upload_file/a/b").status_code == 401
        with pytest.raises(InvalidStatus) as refused:
            connect(stream, origin=guarded)  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
        assert PASSWORD not in stranger.get("/login").text

        stranger.post("/login", data={"name": "ada", "password": PASSWORD})
        assert "<title>Streamlit" in stranger.get("/").text
        assert stranger.get(picture).status_code == 404
        cookie = f"{COOKIE}={stranger.cookies[COOKIE]}"
        with connect(stream, origin=guarded, additional_headers={"Cookie": cookie}):  # type: ignore[arg-type]
            pass
