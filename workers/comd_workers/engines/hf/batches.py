"""What runs together: batches of like prompts, bad ones taken out, halved when memory runs out."""

from __future__ import annotations

import gc
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

import torch

from comd_workers.engines.base import EngineError
from comd_workers.engines.hf.prompts import Prompt, Prompter, PromptError
from comd_workers.engines.pictures import PictureError

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Batcher:
    """Puts prompts through a model in batches of at most `size`.

    max_length: tokens that prompt and answer may have together.
    """

    def __init__(self, model: Any, prompter: Prompter, size: int, max_length: int) -> None:
        self.size = size
        self._model = model
        self._prompter = prompter
        self._max_length = max_length

    def results(
        self, prompts: Sequence[Prompt], run: Callable[[list[Prompt], Any], list[_T]]
    ) -> Iterator[tuple[Prompt, _T | str]]:
        """Each prompt with its result, or with what was wrong with it alone.

        A batch that does not fit the device's memory is halved, and so is every later one.
        Raises EngineError when the model fails on a well-formed batch.
        """
        queue = deque(batches(prompts, self.size))
        while queue:
            batch = queue.popleft()
            if len(batch) > self.size:
                queue.extendleft([batch[self.size :], batch[: self.size]])
                continue
            ready, inputs, broken = self._encode(batch)
            yield from broken.items()
            if not ready:
                continue
            results = self._run(ready, inputs, run)
            if results is not None:
                yield from zip(ready, results, strict=True)
            elif len(ready) == 1:
                yield ready[0], "the device's memory does not hold this request alone"
            else:
                self.size = -(-len(ready) // 2)
                _log.warning("device memory ran out; batch size is now %d", self.size)
                queue.appendleft(ready)

    def _run(
        self, batch: list[Prompt], inputs: Any, run: Callable[[list[Prompt], Any], list[_T]]
    ) -> list[_T] | None:
        """The batch's results; None when the device's memory ran out."""
        try:
            with torch.inference_mode():
                return run(batch, inputs.to(self._model.device, dtype=self._model.dtype))
        except torch.OutOfMemoryError:
            pass  # freed below, where the exception no longer holds the tensors
        except (RuntimeError, ValueError, IndexError) as error:
            raise EngineError(f"the model failed on a batch of {len(batch)}: {error}") from error
        free_memory(self._model.device)
        return None

    def _encode(self, batch: list[Prompt]) -> tuple[list[Prompt], Any, dict[Prompt, str]]:
        """(prompts that can run, their inputs, those that cannot and why)."""
        try:
            inputs = self._prompter.encode(batch)
        except (PictureError, PromptError) as error:
            if len(batch) == 1:
                return [], None, {batch[0]: str(error)}
            broken = self._blame(batch)
        else:
            broken = self._too_long(batch, inputs["attention_mask"].sum(dim=1).tolist())
            if not broken:
                return batch, inputs, {}
        rest = [prompt for prompt in batch if prompt not in broken]
        ready, inputs, more = self._encode(rest) if rest else ([], None, {})
        return ready, inputs, broken | more

    def _blame(self, batch: list[Prompt]) -> dict[Prompt, str]:
        """Encode each alone to find those that spoil the batch."""
        broken = {}
        for prompt in batch:
            try:
                self._prompter.encode([prompt])
            except (PictureError, PromptError) as error:
                broken[prompt] = str(error)
        if not broken:
            raise EngineError("the processor takes every prompt of a batch alone, but not together")
        return broken

    def _too_long(self, batch: list[Prompt], lengths: list[int]) -> dict[Prompt, str]:
        """Prompts that leave no room for a single token, or continuations that do not fit."""
        return {
            prompt: f"the prompt has {length} tokens, the model takes {self._max_length}"
            for prompt, length in zip(batch, lengths, strict=True)
            if length + (prompt.continuation is None) > self._max_length
        }


def batches(prompts: Sequence[Prompt], size: int) -> Iterator[list[Prompt]]:
    """Prompts of one number of pictures and of similar length together; the longest come first, so
    that a device that is too small says so at the start."""

    def pictures(prompt: Prompt) -> int:
        return len(prompt.request.images)

    ordered = sorted(prompts, key=lambda p: (pictures(p), len(p.whole)), reverse=True)
    for _, same in groupby(ordered, key=pictures):
        group = list(same)
        for start in range(0, len(group), size):
            yield group[start : start + size]


def free_memory(device: torch.device) -> None:
    """Return to the device what no tensor holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
