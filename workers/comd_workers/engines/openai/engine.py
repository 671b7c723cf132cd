"""The contract on a server: a plain iterator outside, many requests in flight inside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import Completion, Request, Sampling
from comd_workers.engines.openai.client import Lane, RequestError, Server, api_key
from comd_workers.engines.openai.messages import body, completion
from comd_workers.engines.pictures import PictureError, data_url
from comd_workers.engines.shared import BaseEngine, failed

_PICTURES_KEPT = 256


def open_engine(config: OpenAIConfig) -> OpenAIEngine:
    """Raises EngineError when the key is not in the environment. Whether the server is there, and
    knows the model, the first request tells."""
    return OpenAIEngine(config, api_key(config))


class OpenAIEngine(BaseEngine):
    """Cannot score: chat servers give no log-probabilities of a text that is not theirs.

    The event loop runs in a thread of its own, so that requests go on while the caller writes rows.
    """

    def __init__(
        self, config: OpenAIConfig, secret: str | None, *, file_root: Path | None = None
    ) -> None:
        """`secret`: the server's key. `file_root`: with `image_transport: file_url`, the one
        directory whose files the server may read by itself; others are sent. None: any file."""
        self._config = config
        self._server = Server(config, secret)
        self._file_root = file_root
        self._lanes: list[Lane] = []
        self._loop = _LoopThread()
        # The pictures of one instruction are sent by several phases, of one image by several rows.
        self._data_url = lru_cache(_PICTURES_KEPT)(data_url)

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        done: SimpleQueue[Completion | BaseException] = SimpleQueue()
        serving = self._loop.start(self._serve(requests, sampling, done.put))
        try:
            for _ in requests:
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            serving.cancel()
            self._loop.settle()  # its lanes are free again before another call takes them

    def _close(self) -> None:
        self._loop.stop(self._hang_up)

    async def _serve(
        self,
        requests: Sequence[Request],
        sampling: Sampling,
        put: Callable[[Completion | BaseException], None],
    ) -> None:
        """Put a completion per request, or in the end the one error that ended it all."""
        left = iter(requests)
        in_flight = min(self._config.concurrency, len(requests))
        while len(self._lanes) < in_flight:
            self._lanes.append(Lane(self._server))

        async def drain(lane: Lane) -> None:
            for request in left:
                put(await self._answer(lane, request, sampling))

        try:
            async with asyncio.TaskGroup() as group:
                for lane in self._lanes[:in_flight]:
                    group.create_task(drain(lane))
        except* Exception as errors:
            put(errors.exceptions[0])

    async def _hang_up(self) -> None:
        await asyncio.gather(*(lane.aclose() for lane in self._lanes))

    async def _answer(self, lane: Lane, request: Request, sampling: Sampling) -> Completion:
        try:
            urls = [await self._url(path) for path in request.images]
            reply = await lane.ask(body(self._config, request, sampling, urls))
        except (PictureError, RequestError) as error:
            return failed(request.key, str(error))
        try:
            return completion(self._config, request, sampling, reply)
        except (KeyError, TypeError, AttributeError):
            return failed(request.key, "the server's reply is not a chat completion")

    async def _url(self, path: Path) -> str:
        if self._config.image_transport == "file_url":
            if not path.is_file():
                raise PictureError(f"cannot read picture {path}: no such file")
            real = path.resolve()
            if self._file_root is None or real.is_relative_to(self._file_root):
                return real.as_uri()
        return await asyncio.to_thread(self._data_url, path, self._config.max_image_side)


class _LoopThread:
    """An event loop in a daemon thread, from the first `start` to `stop`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="comd-openai", daemon=True
            )
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def settle(self) -> None:
        """Wait until nothing runs any more."""
        self.start(_ended()).result()

    def stop(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Await `last` and end the thread. Nothing to do if it never started."""
        if self._loop is None or self._thread is None:
            return

        async def finish() -> None:
            await last()
            await asyncio.get_running_loop().shutdown_default_executor()

        self.start(finish()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None


async def _ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others)
