"""What every engine does alike: check what it is asked, open and close once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from comd_workers.engines.base import (
    AnswerLogits,
    Completion,
    EngineError,
    LogitsRequest,
    Request,
    Sampling,
    Score,
    ScoreRequest,
)


class BaseEngine(ABC):
    """Checks at the border of the contract; an engine fills in `_generate` and what else it can."""

    can_score: bool = False
    can_tell_logits: bool = False
    _closed = False

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Raises at once, not at the first `next`, when closed or when a key stands twice."""
        self._check_open()
        check_keys(request.key for request in requests)
        check_sampling(sampling)
        return self._generate(requests, sampling)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Raises at once on an engine that cannot score, is closed, or gets a key twice."""
        if not self.can_score:
            raise EngineError(f"{type(self).__name__} cannot score given continuations")
        self._check_open()
        check_keys(item.request.key for item in requests)
        return self._score(requests)

    def logits(self, requests: Sequence[LogitsRequest], top_k: int) -> Iterator[AnswerLogits]:
        """Raises at once on an engine that cannot tell them, is closed, or gets a key twice."""
        if not self.can_tell_logits:
            raise EngineError(
                f"{type(self).__name__} cannot tell the logits of given answers; the hf engine can, and "
                "an objective with teacher: in_step needs none stored"
            )
        self._check_open()
        check_keys(item.request.key for item in requests)
        if top_k < 1:
            raise ValueError(f"top_k must be >= 1, not {top_k}")
        return self._logits(requests, top_k)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError(f"{type(self).__name__} is closed")

    @abstractmethod
    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """`generate` on a checked, possibly empty list."""

    def _score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        raise NotImplementedError

    def _logits(self, requests: Sequence[LogitsRequest], top_k: int) -> Iterator[AnswerLogits]:
        raise NotImplementedError

    def _close(self) -> None:  # noqa: B027 - not every engine holds something
        """Give back what the engine holds; called once."""


def check_keys(keys: Iterable[str]) -> None:
    """Raises ValueError naming keys that stand twice: their completions could not be told apart."""
    doubled = [key for key, count in Counter(keys).items() if count > 1]
    if doubled:
        raise ValueError(f"request keys must be unique; twice in one call: {doubled[:5]}")


def check_sampling(sampling: Sampling) -> None:
    """Raises ValueError for what no engine can decode with."""
    if sampling.temperature < 0:
        raise ValueError(f"temperature must be >= 0, not {sampling.temperature}")
    if not 0 < sampling.top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1], not {sampling.top_p}")
    if sampling.max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be >= 1, not {sampling.max_new_tokens}")
    if not all(sampling.stop):
        raise ValueError("a stop string must not be empty")


def failed(key: str, error: str) -> Completion:
    """The completion of a request that alone went wrong."""
    return Completion(key=key, text="", finish_reason="error", error=error)


def cut_at_stop(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the earliest stop string, and whether there was one."""
    starts = [start for start in map(text.find, stop) if start >= 0]
    return (text[: min(starts)], True) if starts else (text, False)
