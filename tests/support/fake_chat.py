"""A chat-completions server, for real, that misbehaves as it is told to."""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WORDS = tuple(
    f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "po", "re") for b in ("ba", "di", "fu", "ge")
)


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """A client that hangs up is what some tests are about."""


class ChatServer:
    """A chat-completions server whose reply to a request is a function of its body.

    misbehave: asked before each reply with (text, how often this text came before); what it returns
    is sent instead of a reply: (status, headers, body), or "cut" to break the connection off.
    ending: what every reply ends with.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.arrivals: list[float] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.delay_s = 0.0
        self.ending = ""
        self.misbehave: Callable[[str, int], Any] = lambda text, before: None
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()
        self._scheme = "http"
        self._listen(0)

    def _listen(self, port: int) -> None:
        self._server = _Quiet(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}/v1"

    def encrypt(self, context: ssl.SSLContext) -> None:
        """From now on the server speaks TLS."""
        self._scheme = "https"
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def restart(self) -> None:
        """Gone, and back on the same port."""
        port = self._server.server_address[1]
        self.stop()
        time.sleep(0.1)
        self._listen(port)

    def forget(self) -> None:
        with self._lock:
            self._seen.clear()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Any:
        text = _said(body)
        with self._lock:
            self.bodies.append(body)
            self.headers.append(headers)
            self.arrivals.append(time.monotonic())
            before = self._seen[text]
            self._seen[text] += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        time.sleep(self.delay_s)
        fate = self.misbehave(text, before)
        with self._lock:
            self.in_flight -= 1
        return fate or (200, {}, json.dumps(_reply(body, self.ending)))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outcome = server.answer(self.path, dict(self.headers), body)
                if outcome == "cut":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices"')
                    self.close_connection = True
                    return
                status, headers, content = outcome
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, *args: object) -> None:
                """Silence."""

        return Handler


def _said(body: dict[str, Any]) -> str:
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def _reply(body: dict[str, Any], ending: str) -> dict[str, Any]:
    """Words drawn by a hash of the body, as many as max_tokens allows, twelve at most."""
    seed = body.get("seed", 0) if body["temperature"] > 0 else 0
    basis = json.dumps([body["model"], body["messages"], seed]).encode()
    words = [WORDS[byte % len(WORDS)] for byte in hashlib.sha256(basis).digest()[:12]]
    kept = words[: body["max_tokens"]]
    return {
        "choices": [
            {
                "message": {"role": "assistant", "content": " ".join(kept) + ending},
                "finish_reason": "stop" if len(kept) == len(words) else "length",
            }
        ],
        "usage": {"prompt_tokens": len(_said(body).split()), "completion_tokens": len(kept)},
    }
