"""A chat-completions server that takes 50 ms a request and does nothing else, in its own process.

It speaks just enough HTTP, over asyncio's buffered protocol, that it stays cheaper than any client:
a body is counted and thrown away. `python chat_server.py MEAN SIGMA` prints its address; the delays
are drawn from a log-normal distribution, all of them alike with a SIGMA of 0.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DELAY_SECONDS = 0.05
ANSWER = "There are two dogs on the grass, and one of them carries a red ball."
_REPLY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "fake",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 600, "completion_tokens": 17, "total_tokens": 617},
    }
).encode()
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_REPLY)).encode()
    + b"\r\n\r\n"
    + _REPLY
)
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@contextmanager
def chat_server(mean_seconds: float = DELAY_SECONDS, sigma: float = 0.0) -> Iterator[str]:
    """A server's base URL, up to and with /v1; `sigma` is that of the delays' logarithms."""
    with subprocess.Popen(
        [sys.executable, Path(__file__).resolve(), str(mean_seconds), str(sigma)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


class _Connection(asyncio.BufferedProtocol):
    """One client's connection: a head, so many bytes of body, a reply after a delay."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self._delay = delay
        self._buffer = bytearray(2**18)
        self._head = b""
        self._body_left: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._body_left is None:
            self._head += self._buffer[:nbytes]
            head, end, body = self._head.partition(_END)
            if not end:
                return
            self._body_left = _content_length(head) - len(body)
            self._head = b""
        else:
            self._body_left -= nbytes
        if self._body_left <= 0:
            self._body_left = None
            asyncio.get_running_loop().call_later(self._delay(), self._reply)

    def _reply(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(_RESPONSE)


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(_LENGTH):
            return int(line[len(_LENGTH) :])
    return 0


async def _serve(mean_seconds: float, sigma: float) -> None:
    drawn = random.Random(0)
    middle = math.log(mean_seconds) - sigma**2 / 2

    def delay() -> float:
        return drawn.lognormvariate(middle, sigma)

    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(delay), "127.0.0.1", 0, backlog=1024
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1]), float(sys.argv[2])))
