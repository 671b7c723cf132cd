"""The one small interface through which every model is reached.

An engine holds the weights (or the connection) of one model. What it is asked is a `Request`: plain
text, pictures as paths, a seed. Roles, prompts, rows and retries are the callers' business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

from comd_platform.errors import ComdError
from comd_training.top_logits import TopLogits

FinishReason = Literal["stop", "length", "content_filter", "error"]
ImagePosition = Literal["before", "after"]


class EngineError(ComdError):
    """The engine as a whole cannot go on (weights missing, wrong key, wrong model name).

    Raised, never returned: every further request would fail alike. What concerns one request alone
    (an unreadable picture, a refusal) is a `Completion` with `finish_reason="error"` instead.
    """


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to decode. `temperature == 0` is greedy and then ignores `top_p` and every seed."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_new_tokens: int = 512
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One single-turn question.

    key: the caller's name for it, echoed in the completion; unique within one call.
    text: the user's turn, already rendered from a prompt template (no chat markup, no image token).
    images: absolute paths; usually one, none for text-only instructions.
    image_position: whether the picture stands before or after the text in the turn (eq. 2).
    seed: 63-bit; with the same engine, weights, request and sampling the same text comes back on
        engines that are deterministic, whatever else is in the batch.
    """

    key: str
    text: str
    images: tuple[Path, ...] = ()
    system: str | None = None
    image_position: ImagePosition = "before"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back for one request. `error` says what happened when `finish_reason` is "error".

    cached_tokens: those of the prompt that the server had read before. cost: by the config's price
    table; None where it has none.
    """

    key: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str | None = None
    cached_tokens: int = 0
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A request together with the continuations whose likelihood is asked."""

    request: Request
    continuations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContinuationScore:
    """`logprob`: sum over the continuation's tokens, in nats (<= 0); `tokens`: how many there are."""

    logprob: float
    tokens: int


@dataclass(frozen=True, slots=True)
class Score:
    """One `ContinuationScore` per continuation, in the order asked; empty when `error` is set."""

    key: str
    continuations: tuple[ContinuationScore, ...]
    error: str | None = None


@dataclass(frozen=True, slots=True)
class LogitsRequest:
    """A request together with the answer whose every token's distribution is asked."""

    request: Request
    answer: str


@dataclass(frozen=True, slots=True)
class AnswerLogits:
    """`logits`: at every token of the answer and at the stop token after it, as the chat template sets
    them; None when `error` is set. `vocabulary`: digest of the tokens that its ids are of."""

    key: str
    logits: TopLogits | None
    vocabulary: str = ""
    error: str | None = None


class Engine(Protocol):
    """One loaded model; it belongs to one worker process. Not thread-safe, but where the config's
    `in_flight` is more than 1: there several threads may ask at the same time."""

    can_score: bool
    can_tell_logits: bool

    def generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        """Yield exactly one completion per request, in any order, as they finish.

        Raises EngineError when no request can be served at all.
        """
        ...

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Yield exactly one `Score` per request. Raises EngineError where `can_score` is false."""
        ...

    def logits(self, requests: Sequence[LogitsRequest], top_k: int) -> Iterator[AnswerLogits]:
        """Yield exactly one `AnswerLogits` per request, of the `top_k` likeliest tokens (all of them
        where there are fewer). Raises EngineError where `can_tell_logits` is false."""
        ...

    def close(self) -> None:
        """Give back memory, processes and connections. Idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...
