"""The contract on transformers: requests in, completions and scores out."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import transformers

from comd_platform.config.engines import HfConfig
from comd_training.top_logits import TopLogits
from comd_training.vocabulary import Vocabulary
from comd_workers.engines.base import (
    AnswerLogits,
    Completion,
    ContinuationScore,
    LogitsRequest,
    Request,
    Sampling,
    Score,
    ScoreRequest,
)
from comd_workers.engines.hf.batches import Batcher, free_memory
from comd_workers.engines.hf.decoding import RowLimits, RowSampler
from comd_workers.engines.hf.loading import Loaded, load, longest, stop_ids
from comd_workers.engines.hf.prompts import Prompt, Prompter, PromptError
from comd_workers.engines.shared import BaseEngine, cut_at_stop, failed


def open_engine(config: HfConfig) -> HfEngine:
    """Load weights and processor. Raises EngineError when they cannot be had."""
    return HfEngine(load(config), config)


class HfEngine(BaseEngine):
    """Greedy, or sampled with a generator a row (hf.decoding says how equal a rerun is)."""

    can_score: bool = True
    can_tell_logits: bool = True

    def __init__(self, loaded: Loaded, config: HfConfig) -> None:
        self._model = loaded.model
        self._stop_ids = stop_ids(self._model, loaded.processor.tokenizer)
        self._prompter = Prompter(loaded.processor, self._stop_ids)
        # Practically endless where neither the config nor the model says.
        self._max_length = config.max_length or longest(self._model) or sys.maxsize
        self._batcher = Batcher(self._model, self._prompter, config.batch_size, self._max_length)
        # What a model's own generation config asks for (temperature, repetition penalty, beams) is
        # not in our Sampling, and would decode otherwise than the rows say; only ids are kept.
        self._model.generation_config = transformers.GenerationConfig(
            eos_token_id=sorted(self._stop_ids) or None,
            pad_token_id=self._prompter.tokenizer.pad_token_id,
            bos_token_id=self._model.generation_config.bos_token_id,
            do_sample=False,
        )
        self._keeps_logits = "logits_to_keep" in inspect.signature(self._model.forward).parameters

    @property
    def batch_size(self) -> int:
        """Requests a forward pass; less than configured once the device's memory has run out."""
        return self._batcher.size

    def _generate(self, requests: Sequence[Request], sampling: Sampling) -> Iterator[Completion]:
        prompts: list[Prompt] = []
        for request in requests:
            try:
                prompts.append(self._prompter.render(request))
            except PromptError as error:
                yield failed(request.key, str(error))
        outcomes = self._batcher.results(
            prompts, lambda batch, inputs: self._complete(batch, inputs, sampling)
        )
        for prompt, outcome in outcomes:
            yield failed(prompt.request.key, outcome) if isinstance(outcome, str) else outcome

    def _score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        """A row per continuation; a request's score comes when the last of its rows is done."""
        waiting: dict[str, ScoreRequest] = {}
        rows: list[Prompt] = []
        for item in requests:
            key = item.request.key
            try:
                prompt = self._prompter.render(item.request)
            except PromptError as error:
                yield Score(key=key, continuations=(), error=str(error))
                continue
            if not item.continuations:
                yield Score(key=key, continuations=())
                continue
            waiting[key] = item
            # A continuation that is asked twice is one row.
            rows.extend(
                self._prompter.continued(prompt, c) for c in dict.fromkeys(item.continuations)
            )
        found: dict[str, dict[str | None, ContinuationScore]] = {key: {} for key in waiting}
        for row, outcome in self._batcher.results(rows, self._weigh):
            key = row.request.key
            if key not in waiting:  # another of its rows has failed
                continue
            if isinstance(outcome, str):
                del waiting[key]
                yield Score(key=key, continuations=(), error=outcome)
                continue
            found[key][row.continuation] = outcome
            asked = waiting[key].continuations
            if len(found[key]) == len(set(asked)):
                del waiting[key]
                yield Score(key=key, continuations=tuple(found[key][text] for text in asked))

    def _logits(self, requests: Sequence[LogitsRequest], top_k: int) -> Iterator[AnswerLogits]:
        rows: list[Prompt] = []
        for item in requests:
            try:
                prompt = self._prompter.render(item.request)
            except PromptError as error:
                yield AnswerLogits(item.request.key, None, error=str(error))
            else:
                rows.append(self._prompter.answered(prompt, item.answer))
        known = Vocabulary("", self._prompter.tokenizer.get_vocab())
        digest = known.digest()
        outcomes = self._batcher.results(
            rows, lambda batch, inputs: self._top(batch, inputs, min(top_k, known.tokens), known)
        )
        for row, outcome in outcomes:
            key = row.request.key
            if isinstance(outcome, str):
                yield AnswerLogits(key, None, error=outcome)
            else:
                yield AnswerLogits(key, outcome, digest)

    def _close(self) -> None:
        device = self._model.device
        del self._model, self._prompter, self._batcher
        free_memory(device)

    def _complete(self, batch: list[Prompt], inputs: Any, sampling: Sampling) -> list[Completion]:
        prompt_tokens: list[int] = inputs["attention_mask"].sum(dim=1).tolist()
        width = inputs["input_ids"].shape[1]
        device = inputs["input_ids"].device
        limits = [min(sampling.max_new_tokens, self._max_length - n) for n in prompt_tokens]
        criterion = RowLimits(limits, sampling.stop, width, self._prompter.decode, device)
        processors = transformers.LogitsProcessorList()
        if sampling.temperature > 0:
            seeds = [prompt.request.seed for prompt in batch]
            processors.append(RowSampler(seeds, sampling, width, device))
        sequences = self._model.generate(
            **inputs,
            max_new_tokens=max(limits),
            logits_processor=processors,
            stopping_criteria=transformers.StoppingCriteriaList([criterion]),
        )
        rows = zip(sequences[:, width:].tolist(), criterion.ended.tolist(), strict=True)
        answers = [self._until_stop(tokens[:ended]) for tokens, ended in rows]
        texts = self._prompter.decode([tokens for tokens, _ in answers])
        return [
            _completion(prompt.request.key, text, answer, count, sampling)
            for prompt, text, answer, count in zip(
                batch, texts, answers, prompt_tokens, strict=True
            )
        ]

    def _until_stop(self, tokens: list[int]) -> tuple[list[int], bool]:
        """The tokens up to and with the first stop token, and whether there is one."""
        for place, token in enumerate(tokens):
            if token in self._stop_ids:
                return tokens[: place + 1], True
        return tokens, False

    def _forced(self, batch: list[Prompt], inputs: Any) -> tuple[list[int], Any, Any]:
        """Teacher forcing, every token given those before it: how many tokens each continuation has,
        the last W (the most) of each row (B, W), and the logits in front of them (B, W, V)."""
        counts = self._prompter.continuation_tokens(batch)
        widest = max(counts)
        kept = {"logits_to_keep": widest + 1} if self._keeps_logits else {}
        logits = self._model(**inputs, use_cache=False, **kept).logits  # (B, >= widest + 1, V)
        tokens = inputs["input_ids"]
        return counts, tokens[:, tokens.shape[1] - widest :], logits[:, -widest - 1 : -1]

    def _top(
        self, batch: list[Prompt], inputs: Any, top_k: int, known: Vocabulary
    ) -> list[TopLogits]:
        """The likeliest tokens at each of the answers'; the head's padding rows are left out."""
        counts, chosen, logits = self._forced(batch, inputs)
        logprobs = logits[:, :, : known.tokens].float().log_softmax(dim=-1)
        values, ids = logprobs.topk(top_k, dim=-1)
        others = logprobs.scatter(-1, ids, -math.inf).logsumexp(dim=-1, keepdim=True)
        told = [
            part.cpu().numpy()
            for part in (chosen.int(), ids.int(), torch.cat([values, others], dim=-1).half())
        ]
        width = chosen.shape[1]
        return [
            TopLogits(*(part[row, width - count :] for part in told))
            for row, count in enumerate(counts)
        ]

    def _weigh(self, batch: list[Prompt], inputs: Any) -> list[ContinuationScore]:
        """log p(continuation | prompt)."""
        counts, targets, logits = self._forced(batch, inputs)
        widest = targets.shape[1]
        chosen = logits.float().log_softmax(dim=-1)
        chosen = chosen.gather(2, targets[:, :, None])[:, :, 0].double().cpu()
        # Left-padded: row b's continuation is its last counts[b] tokens.
        return [
            ContinuationScore(logprob=float(row[widest - count :].sum()), tokens=count)
            for row, count in zip(chosen, counts, strict=True)
        ]


def _completion(
    key: str, text: str, answer: tuple[list[int], bool], prompt_tokens: int, sampling: Sampling
) -> Completion:
    tokens, ended_by_token = answer
    text, ended_by_string = cut_at_stop(text, sampling.stop)
    return Completion(
        key=key,
        text=text.strip(),
        finish_reason="stop" if ended_by_token or ended_by_string else "length",
        prompt_tokens=prompt_tokens,
        completion_tokens=len(tokens),
    )
