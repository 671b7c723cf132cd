"""The contract on a server that may die: restarted, and asked again what it left unanswered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from comd_platform.config.engines import OpenAIConfig, VllmConfig
from comd_platform.errors import ComdError
from comd_platform.settings import get_settings
from comd_workers.engines.base import (
    Completion,
    EngineError,
    Request,
    Sampling,
    Score,
    ScoreRequest,
)
from comd_workers.engines.openai import OpenAIEngine
from comd_workers.engines.shared import BaseEngine
from comd_workers.engines.vllm.server import Server

_log = logging.getLogger(__name__)

Asked = TypeVar("Asked", Request, ScoreRequest)
Answered = TypeVar("Answered", Completion, Score)


class ServerDied(ComdError):
    """The server died over these requests, again and again, though it answers others.

    No EngineError: the ledger tries the work item again and splits it, down to the instruction that
    kills the server.
    """


def open_engine(config: VllmConfig) -> VllmEngine:
    """Start the server and wait until it serves. Raises EngineError with the end of its log."""
    settings = get_settings()
    return VllmEngine(config, settings.image_root.resolve(), settings.home / "logs")


class VllmEngine(BaseEngine):
    """A supervised server behind the openai engine.

    A restart is invisible to the caller: what was answered has been yielded, the rest is asked
    again, with the same seeds. Several threads may ask at the same time; whoever first finds the
    server dead buries it for all.
    """

    can_score: bool = True

    def __init__(self, config: VllmConfig, image_root: Path, logs: Path) -> None:
        self._config = config
        self._image_root = image_root
        self._server = Server(config, image_root, logs)
        self._client: OpenAIEngine | None = None
        self._changing = threading.RLock()  # held while the server is started or buried
        self._unable: EngineError | None = None  # why no server could be started again
        self._served = 0  # answers of the present server
        self._barren = 0  # servers in a row that died without an answer
        self._last_words = ""
        self._ready()

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        def ask(client: OpenAIEngine, left: list[Request]) -> Generator[Completion, None, None]:
            yield from client.generate(left, sampling)

        return self._persist({request.key: request for request in requests}, ask)

    def _score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        def ask(client: OpenAIEngine, left: list[ScoreRequest]) -> Generator[Score, None, None]:
            yield from client.score(left)

        return self._persist({item.request.key: item for item in requests}, ask)

    def _close(self) -> None:
        self._server.close()
        with self._changing:
            self._stop()

    def _persist(
        self,
        requests: dict[str, Asked],
        ask: Callable[[OpenAIEngine, list[Asked]], Generator[Answered, None, None]],
    ) -> Iterator[Answered]:
        """What `ask` gives for each request, whatever happens to the server meanwhile.

        Raises EngineError when servers die without answering anything, ServerDied when they die
        over these requests more than `max_restarts` times.
        """
        left = dict(requests)
        deaths = 0
        while left:
            client = self._ready()
            try:
                with closing(ask(client, list(left.values()))) as answers:
                    for answer in answers:
                        if answer.error is not None and not self._lives(client):
                            break  # the server's fault; this and the rest are asked again
                        del left[answer.key]
                        self._served += answer.error is None
                        yield answer
            except EngineError:
                if self._lives(client):
                    raise
            if left:
                deaths += 1
                self._bury(client, len(left))
                if deaths > self._config.max_restarts:
                    raise ServerDied(
                        f"vLLM with {self._config.model} died over these requests, {deaths} times in a"
                        f" row. Its log ended with:\n{self._last_words}",
                        hint=f"All of its log is in {self._server.log_path}.",
                    )

    def _ready(self) -> OpenAIEngine:
        """The client of a server that runs, started if need be. Raises EngineError."""
        with self._changing:
            self._check_open()
            if self._client is not None and self._server.running():
                return self._client
            self._stop()
            if self._unable is not None:  # every call is told; none tries for as long again
                raise EngineError(str(self._unable), hint=self._unable.hint)
            try:
                self._server.start()
            except EngineError as error:
                self._unable = error
                raise
            self._served = 0
            self._client = OpenAIEngine(
                self._client_config(), self._server.key, file_root=self._image_root
            )
            return self._client

    def _lives(self, client: OpenAIEngine) -> bool:
        """Whether the server that `client` asks is the present one, and well."""
        with self._changing:
            return client is self._client and self._server.healthy()

    def _bury(self, client: OpenAIEngine, left: int) -> None:
        """Clear away a server that died, unless that is done. Raises EngineError when further ones are
        not worth starting: they die without answering anything."""
        with self._changing:
            if client is not self._client:
                return
            self._last_words = self._server.tail()
            self._stop()
            self._barren = 0 if self._served else self._barren + 1
            told = f"vLLM with {self._config.model} died with {left} requests unanswered"
            _log.warning("%s; its log is in %s", told, self._server.log_path)
            if self._barren > self._config.max_restarts:
                self._unable = EngineError(
                    f"{told}, {self._barren} times in a row. Its log ends with:\n{self._last_words}",
                    hint=f"All of its log is in {self._server.log_path}.",
                )
                raise self._unable

    def _stop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
        self._server.stop()

    def _client_config(self) -> OpenAIConfig:
        config = self._config
        return OpenAIConfig(
            model=config.model,
            base_url=self._server.base_url,
            api_key_env=None,
            concurrency=config.concurrency,
            timeout_s=config.timeout_s,
            # On this machine: what a short wait does not mend, a restart does.
            max_retries=2,
            backoff_s=0.2,
            image_transport="data_url" if config.max_image_side else config.image_transport,
            max_image_side=config.max_image_side,
            extra_body=config.extra_body,
            prompt_logprobs=True,
        )
