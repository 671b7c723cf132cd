"""The contract on a server: a plain iterator outside, many requests in flight inside."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import (
    Completion,
    EngineError,
    Request,
    Sampling,
    Score,
    ScoreRequest,
)
from comd_workers.engines.openai.client import Client, RequestError, api_key
from comd_workers.engines.openai.messages import body, completion
from comd_workers.engines.openai.pace import Pace
from comd_workers.engines.openai.scoring import score_continuations
from comd_workers.engines.openai.urls import DataUrls
from comd_workers.engines.pictures import PictureError
from comd_workers.engines.shared import BaseEngine, failed

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def open_engine(config: OpenAIConfig) -> OpenAIEngine:
    """Raises EngineError when the key is not in the environment. Whether the server is there, and
    knows the model, the first request tells."""
    return OpenAIEngine(config, api_key(config))


class OpenAIEngine(BaseEngine):
    """Scores where the config says that the server gives `prompt_logprobs`, as vLLM does; chat
    servers in general give no log-probabilities of a text that is not theirs.

    The event loop runs in a thread of its own, so that requests go on while the caller writes rows.
    Several threads may ask at the same time: together they keep to `concurrency`, and no more requests
    than that are made ready.
    """

    def __init__(
        self, config: OpenAIConfig, secret: str | None, *, file_root: Path | None = None
    ) -> None:
        """`secret`: the server's key. `file_root`: with `image_transport: file_url`, the one
        directory whose files the server may read by itself; others are sent. None: any file."""
        self.can_score = config.prompt_logprobs
        self._config = config
        self._secret = secret
        self._file_root = file_root
        self.pace = Pace(config.concurrency)
        self._ready = asyncio.Semaphore(config.concurrency)
        self._client: Client | None = None
        self._calls = 0  # under way, in the loop's thread
        self._loop = _LoopThread()
        self._data_urls = DataUrls(config.max_image_side)

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        return self._each(requests, lambda client, request: self._answer(client, request, sampling))

    def _score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        return self._each(requests, self._weigh)

    def _close(self) -> None:
        self._loop.stop(self._hang_up)

    def _each(
        self, items: Sequence[Item], do: Callable[[Client, Item], Awaitable[Outcome]]
    ) -> Iterator[Outcome]:
        """`do` for every item, `concurrency` of them at a time; outcomes as they come."""
        done: SimpleQueue[Outcome | BaseException] = SimpleQueue()
        closed = EngineError(f"the engine of {self._config.model} was closed while it was asked")
        serving = self._loop.begin(self._serve(items, do, done.put), lambda: done.put(closed))
        try:
            for _ in items:
                outcome = done.get()
                if isinstance(outcome, BaseException):
                    raise outcome
                yield outcome
        finally:
            serving.end()  # nothing of this call goes on beside the caller's next one

    async def _serve(
        self,
        items: Sequence[Item],
        do: Callable[[Client, Item], Awaitable[Outcome]],
        put: Callable[[Outcome | BaseException], None],
    ) -> None:
        """Put an outcome per item, or in the end the one error that ended it all."""
        left = iter(items)
        self._calls += 1
        client = self._client = self._client or Client(self._config, self._secret, self.pace)

        async def drain() -> None:
            for item in left:
                async with self._ready:
                    outcome = await do(client, item)
                put(outcome)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._config.concurrency, len(items))):
                    group.create_task(drain())
        except ExceptionGroup as errors:
            put(errors.exceptions[0])
        finally:
            self._calls -= 1
            if not self._calls:
                self.pace.reopen()

    async def _hang_up(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def _answer(self, client: Client, request: Request, sampling: Sampling) -> Completion:
        try:
            urls = [await self._url(path) for path in request.images]
            reply = await client.ask(body(self._config, request, sampling, urls))
        except (PictureError, RequestError) as error:
            return failed(request.key, str(error))
        try:
            return completion(self._config, request, sampling, reply)
        except (KeyError, TypeError, AttributeError):
            return failed(request.key, "the server's reply is not a chat completion")

    async def _weigh(self, client: Client, item: ScoreRequest) -> Score:
        key = item.request.key
        try:
            urls = [await self._url(path) for path in item.request.images]
            scores = await score_continuations(
                self._config, item.request, item.continuations, urls, client.ask
            )
        except (PictureError, RequestError) as error:
            return Score(key, (), error=str(error))
        except (KeyError, TypeError, ValueError, AttributeError):
            return Score(key, (), error="the server's reply holds no prompt_logprobs")
        return Score(key, scores)

    async def _url(self, path: Path) -> str:
        if self._config.image_transport == "file_url":
            if not path.is_file():
                raise PictureError(f"cannot read picture {path}: no such file")
            real = path.resolve()
            if self._file_root is None or real.is_relative_to(self._file_root):
                return real.as_uri()
        kept = self._data_urls.kept(path)
        return await asyncio.to_thread(self._data_urls.get, path) if kept is None else kept


class _Serving:
    """A task of another thread's loop. `cancelled` is called there if it did not come to its end.

    Threads wait in a SimpleQueue, which is C code: an exception out of a signal leaves no lock behind.
    """

    def __init__(self, task: asyncio.Task[None], cancelled: Callable[[], None]) -> None:
        self._task = task
        self._loop = task.get_loop()
        self._over: SimpleQueue[None] = SimpleQueue()
        self._cancelled = cancelled
        task.add_done_callback(self._ended)

    def end(self) -> None:
        """Cancel it, and wait until nothing of it runs any more. To be called once."""
        with suppress(RuntimeError):  # the loop is closed: then all of it has ended
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._over.get()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._cancelled()
        self._over.put(None)


class _LoopThread:
    """An event loop in a daemon thread, from the first `begin` to `stop`."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def begin(self, work: Coroutine[Any, Any, None], cancelled: Callable[[], None]) -> _Serving:
        """Start `work`. Raises EngineError once stopped."""
        begun: SimpleQueue[_Serving] = SimpleQueue()
        with self._changing:
            if self._stopped:
                work.close()
                raise EngineError("the engine is closed")
            loop = self._running()
            loop.call_soon_threadsafe(
                lambda: begun.put(_Serving(loop.create_task(work), cancelled))
            )
            return begun.get()

    def stop(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancel what runs, await `last` and end the thread."""

        async def finish() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await last()
            await asyncio.get_running_loop().shutdown_default_executor()

        with self._changing:
            self._stopped = True
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(finish(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="comd-openai", daemon=True
            )
            self._thread.start()
        return self._loop
