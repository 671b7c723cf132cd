"""The scripted engine: replies in microseconds, the same on every machine, faults on order.

It is a backend beside the real ones, not a mock: the loop, the retries and the leases run on it as
they do on a model.
"""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from comd_platform.config.engines import ScriptedConfig
from comd_training.top_logits import TopLogits
from comd_workers.engines.base import (
    AnswerLogits,
    Completion,
    ContinuationScore,
    EngineError,
    LogitsRequest,
    Request,
    Sampling,
    Score,
    ScoreRequest,
)
from comd_workers.engines.scripts import SCRIPTS, Line
from comd_workers.engines.scripts.script import chance, tag
from comd_workers.engines.shared import BaseEngine, cut_at_stop, failed

WEIGHTS_FILE = "scripted.json"
MADE_UP_TOKENS = 1000


def open_engine(config: ScriptedConfig) -> ScriptedEngine:
    """Raises EngineError when there is no such script, or no weights where `model` points."""
    return ScriptedEngine(config)


def write_weights(directory: Path, **options: Any) -> None:
    """Make `directory` something that a ScriptedConfig can name as its `model`.

    The options go over the config's: `write_weights(checkpoint, skill=0.7)` is a student that knows
    seven questions in ten.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / WEIGHTS_FILE).write_text(json.dumps(options, sort_keys=True))


class ScriptedEngine(BaseEngine):
    """Deterministic: (script, options, text, image name, seed) decide the reply."""

    can_score: bool = True
    can_tell_logits: bool = True

    def __init__(self, config: ScriptedConfig) -> None:
        name = config.script or config.model
        if name not in SCRIPTS:
            raise EngineError(f"there is no script {name!r}, only {', '.join(sorted(SCRIPTS))}")
        self._config = config
        self._script = SCRIPTS[name]
        weights = _read_weights(config)
        self._options = {**config.options, **weights}
        # Weights speak alike wherever they lie: a restored run goes on to the same answers.
        self._name = (
            f"{name}:{tag(json.dumps(weights, sort_keys=True))}" if weights else config.model
        )

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        for request in requests:
            self._check_open()
            yield self._reply(request, sampling)

    def _score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """Log-probabilities made from hashes: they rank, and mean nothing else."""
        for item in requests:
            self._meet_fate(item.request)
            error = self._failure(item.request)
            texts = () if error else item.continuations
            scores = tuple(self._weigh(item.request, text) for text in texts)
            yield Score(key=item.request.key, continuations=scores, error=error)

    def _logits(self, requests: Sequence[LogitsRequest], top_k: int) -> Iterator[AnswerLogits]:
        """Made from the answer's words: of the right shape, and mean nothing else."""
        for item in requests:
            self._meet_fate(item.request)
            error = self._failure(item.request)
            told = None if error else _made_up(item.answer, min(top_k, MADE_UP_TOKENS))
            yield AnswerLogits(item.request.key, told, "0" * 64, error)

    def _reply(self, request: Request, sampling: Sampling) -> Completion:
        self._meet_fate(request)
        error = self._failure(request)
        if error:
            return failed(request.key, error)
        line = Line(
            text=request.text,
            image=_image_name(request),
            seed=request.seed if sampling.temperature > 0 else 0,
            model=self._name,
            options=self._options,
        )
        try:
            text = self._script(line)
        except ValueError as unplayable:
            raise EngineError(str(unplayable)) from unplayable
        text, _ = cut_at_stop(text, sampling.stop)
        words = text.split()
        too_long = len(words) > sampling.max_new_tokens
        return Completion(
            key=request.key,
            text=" ".join(words[: sampling.max_new_tokens]) if too_long else text,
            finish_reason="length" if too_long else "stop",
            prompt_tokens=len(request.text.split()),
            completion_tokens=min(len(words), sampling.max_new_tokens),
        )

    def _meet_fate(self, request: Request) -> None:
        """Wait, or come to the end that the config has in store for this request."""
        if self._config.delay_s:
            time.sleep(self._config.delay_s)
        if self._config.crash_on and self._config.crash_on in request.text:
            if self._config.crash == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise EngineError(f"scripted crash at request {request.key!r}")

    def _failure(self, request: Request) -> str | None:
        """Why this request alone fails; an `error_rate` failure may pass under another seed."""
        missing = next((path for path in request.images if not path.is_file()), None)
        if missing is not None:
            return f"cannot read picture {missing}"
        if self._config.fail_on and self._config.fail_on in request.text:
            return "scripted failure"
        if not self._config.error_rate:
            return None
        luck = chance("error", request.text, _image_name(request), request.seed)
        return "scripted bad luck" if luck < self._config.error_rate else None

    def _weigh(self, request: Request, continuation: str) -> ContinuationScore:
        words = len(continuation.split())
        likelihood = 1.0 - chance("score", request.text, _image_name(request), continuation)
        return ContinuationScore(logprob=words * math.log(likelihood), tokens=words)


def _made_up(answer: str, top_k: int) -> TopLogits:
    """A token a word, and one for the stop; nine tenths of the probability on each."""
    words = [int(chance("token", word) * MADE_UP_TOKENS) for word in (*answer.split(), "</s>")]
    chosen = np.array(words, np.int32)
    ids = (chosen[:, None] + np.arange(top_k, dtype=np.int32)) % MADE_UP_TOKENS
    logprobs = np.full((len(words), top_k + 1), math.log(0.1 / top_k), np.float16)
    logprobs[:, 0] = math.log(0.9)
    return TopLogits(chosen, ids.astype(np.int32), logprobs)


def _image_name(request: Request) -> str:
    return request.images[0].name if request.images else ""


def _read_weights(config: ScriptedConfig) -> dict[str, Any]:
    """The options in the directory that `model` names, when `script` says that it is weights."""
    path = Path(config.model) / WEIGHTS_FILE
    if config.script is None or not Path(config.model).is_absolute():
        return {}
    try:
        weights = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise EngineError(f"no scripted weights at {path}: {error}") from error
    if not isinstance(weights, dict):
        raise EngineError(f"no scripted weights at {path}: not a JSON object")
    return weights
