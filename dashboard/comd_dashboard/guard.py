"""Who may look: nobody is asked on this machine, else a password or the word of a proxy.

A guard stands before everything that is served, pages, pictures and the websocket alike. Whom it lets
in it names to the pages in the header USER, which it takes away from what came from outside.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import html
import ipaddress
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, quote, unquote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comd_dashboard.launch import Network, is_this_machine

USER = "x-comd-user"
COOKIE = "comd_dashboard"
HEALTH = "/_stcore/health"
"""Answered to anybody, for those that watch over servers; it says "ok"."""

_DAYS = 7
_WRONG_SECONDS = 1.0
_FORM_BYTES = 8_192
_LOGIN_PAGE = (Path(__file__).parent / "login.html").read_text(encoding="utf-8")

# The last line against text that is taken for markup: whatever it became, a browser loads nothing
# from elsewhere for it. Streamlit and Vega compile code and style elements in place.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "frame-ancestors 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


class Refused(Exception):
    """Not let in; `why` is told to who asked."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Guard(Protocol):
    """Decides about one request or websocket."""

    def user(self, asked: HTTPConnection) -> str:
        """The name of who asks, "" where nobody is asked for one. Raises Refused."""
        ...


@dataclass(frozen=True, slots=True)
class OnThisMachine:
    """Nobody is asked. The host has to be this machine's by name, or a page elsewhere whose name was
    turned to 127.0.0.1 (DNS rebinding) could read through the browser of who visits it."""

    def user(self, asked: HTTPConnection) -> str:
        if not is_this_machine(_hostname(asked.headers)):
            raise Refused(
                "The dashboard answers to localhost only. To reach it by another name, start it with "
                "--password-file or --user-header."
            )
        return ""


@dataclass(frozen=True, slots=True)
class ByProxy:
    """A proxy has asked already, and names the user in `header`; only `proxies` are believed."""

    header: str
    proxies: Sequence[Network]

    def user(self, asked: HTTPConnection) -> str:
        peer = asked.client.host if asked.client else ""
        if not _among(peer, self.proxies):
            raise Refused("Only the proxy may ask here (--trusted-proxy names its address).")
        name = asked.headers.get(self.header, "").strip()
        if not name:
            raise Refused(f"The proxy names no user in {self.header}.")
        return name


@dataclass(slots=True)
class ByPassword:
    """One password for all; who signs in says a name, which a signed cookie keeps for a week.

    The key of the cookies is this process's: whoever restarts the dashboard signs everybody out.
    """

    password: str
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _wrong: asyncio.Lock = field(default_factory=asyncio.Lock)

    def user(self, asked: HTTPConnection) -> str:
        name = self._read(asked.cookies.get(COOKIE, ""))
        if name is None:
            raise Refused("Sign in first.")
        return name

    async def answer(self, request: Request) -> Response | None:
        """What the guard itself serves: /login and /logout; None for everything else."""
        if request.url.path == "/logout":
            response: Response = RedirectResponse("/login", 303)
            response.delete_cookie(COOKIE)
            return response
        if request.url.path != "/login":
            return None
        if request.method != "POST":
            return _login_page(request.query_params.get("next", "/"))
        given = await _form(request)
        onward = _inside(given.get("next", "/"))
        if not hmac.compare_digest(_digest(given.get("password", "")), _digest(self.password)):
            # One at a time, a second each: a password is not guessed by trying.
            async with self._wrong:
                await asyncio.sleep(_WRONG_SECONDS)
            return _login_page(onward, "This is not the password.", 401)
        name = given.get("name", "").strip()[:100]
        if not name:
            return _login_page(onward, "Say your name: review decisions carry it.", 400)
        response = RedirectResponse(onward, 303)
        response.set_cookie(
            COOKIE,
            self._sign(name),
            max_age=_DAYS * 86_400,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    def _sign(self, name: str) -> str:
        said = f"{quote(name, safe='')}.{int(time.time()) + _DAYS * 86_400}"
        return f"{said}.{self._mac(said)}"

    def _read(self, cookie: str) -> str | None:
        said, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(self._mac(said).encode(), mac.encode()):
            return None
        name, _, until = said.rpartition(".")
        return unquote(name) if int(until) > time.time() else None

    def _mac(self, said: str) -> str:
        mac = hmac.digest(self._key, said.encode(), "sha256")
        return base64.urlsafe_b64encode(mac).decode().rstrip("=")


class Protection:
    """ASGI middleware: asks the guard before anything else sees a request or a websocket."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app = app
        self.guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        is_page = scope["type"] == "http"
        if is_page and isinstance(self.guard, ByPassword):
            answer = await self.guard.answer(Request(scope, receive))
            if answer is not None:
                await answer(scope, receive, _with_headers(send))
                return
        user = ""
        if not (is_page and scope["path"] == HEALTH):
            try:
                user = self.guard.user(asked)
            except Refused as refused:
                await self._refuse(refused, asked, scope, receive, send)
                return
        headers = MutableHeaders(scope=scope)
        del headers[USER]
        headers[USER] = quote(user)
        await self.app(scope, receive, _with_headers(send) if is_page else send)

    async def _refuse(
        self, refused: Refused, asked: HTTPConnection, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if scope["type"] == "websocket":
            await receive()  # the handshake, which is answered with 403
            await send({"type": "websocket.close", "code": 1008})
            return
        response: Response
        if isinstance(self.guard, ByPassword) and "text/html" in asked.headers.get("accept", ""):
            onward = asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")
            response = RedirectResponse("/login?" + urlencode({"next": onward}), 303)
        else:
            status = 401 if isinstance(self.guard, ByPassword) else 403
            response = PlainTextResponse(refused.why, status)
        await response(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent


def _hostname(headers: Headers) -> str:
    host = headers.get("host", "")
    return host[: host.rfind("]") + 1] if host.startswith("[") else host.partition(":")[0]


def _among(peer: str, proxies: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)  # of a socket that listens on both
    return any((mapped or address) in each for each in proxies)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def _form(request: Request) -> dict[str, str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES:
            return {}
    return {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}


def _inside(path: str) -> str:
    """`path` where it leads to a page of ours, else the first one: no open redirect."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"


def _login_page(onward: str, told: str = "", status: int = 200) -> Response:
    page = _LOGIN_PAGE.replace("{{next}}", html.escape(_inside(onward))).replace(
        "{{told}}", html.escape(told)
    )
    return HTMLResponse(page, status, headers={"cache-control": "no-store"})
