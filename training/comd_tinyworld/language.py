"""Training a language model and its projector on dialogues, over a frozen tower."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlavaForConditionalGeneration, LlavaProcessor
from transformers.modeling_outputs import BaseModelOutputWithPooling

from comd_tinyworld.curriculum import Example
from comd_tinyworld.processor import IMAGE_TOKENS

IGNORED = -100
_CHUNK = 32
"""Batches that are tokenized together."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast one language model learns."""

    steps: int
    batch: int
    learning_rate: float


@dataclass(frozen=True)
class Encoded:
    """One dialogue as tokens; `labels` is -100 wherever nothing is to be learned."""

    scene: int
    input_ids: list[int]
    labels: list[int]


def encode(processor: LlavaProcessor, examples: Sequence[Example]) -> list[Encoded]:
    """Tokens and labels as the processor would make them, without touching the pictures.

    The chat template marks what the assistant says; only that, with its stop token, carries loss.
    """
    out = processor.tokenizer.apply_chat_template(
        [e.messages() for e in examples],
        chat_template=processor.chat_template,
        tokenize=True,
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    encoded = []
    for example, ids, said in zip(examples, out["input_ids"], out["assistant_masks"], strict=True):
        tokens = np.asarray(ids)
        repeats = np.where(tokens == processor.image_token_id, IMAGE_TOKENS, 1)
        labels = np.where(np.asarray(said, dtype=bool), tokens, IGNORED)
        encoded.append(
            Encoded(
                example.scene,
                np.repeat(tokens, repeats).tolist(),
                np.repeat(labels, repeats).tolist(),
            )
        )
    return encoded


def batches(
    processor: LlavaProcessor, examples: Iterator[Example], size: int
) -> Iterator[list[Encoded]]:
    """Without end: batches of dialogues as they come, all roles mixed."""
    while True:
        encoded = encode(processor, list(itertools.islice(examples, size * _CHUNK)))
        for start in range(0, len(encoded), size):
            yield encoded[start : start + size]


def dialogue_loss(
    model: LlavaForConditionalGeneration, features: Tensor, batch: Sequence[Encoded], pad: int
) -> Tensor:
    """Mean cross-entropy over the assistant's tokens (eq. 3).

    `features` are the tower's, (N, 4, 96), of all scenes; the batch says which it needs.
    """
    longest = max(len(e.input_ids) for e in batch)
    ids = torch.full((len(batch), longest), pad)
    labels = torch.full((len(batch), longest), IGNORED)
    for row, e in enumerate(batch):
        ids[row, : len(e.input_ids)] = torch.tensor(e.input_ids)
        labels[row, : len(e.labels)] = torch.tensor(e.labels)
    projected = model.model.multi_modal_projector(features[[e.scene for e in batch]])
    pictures = BaseModelOutputWithPooling(pooler_output=list(projected))  # B x (4, D)
    hidden = model.model(
        input_ids=ids,
        attention_mask=(ids != pad).long(),
        mm_encoder_outputs={"image": pictures},
        use_cache=False,
    ).last_hidden_state  # (B, T, D)
    targets = labels[:, 1:]
    taught = targets != IGNORED  # (B, T-1)
    logits = model.lm_head(hidden[:, :-1][taught])  # (tokens that carry loss, V)
    return cross_entropy(logits, targets[taught])


def train_language(
    model: LlavaForConditionalGeneration,
    processor: LlavaProcessor,
    features: Tensor,
    examples: Iterator[Example],
    recipe: Recipe,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train everything but the tower in place; returns the loss of every step.

    `on_step` is told the number of steps done and the last one's loss.
    """
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.1
    )
    losses = []
    stream = batches(processor, examples, recipe.batch)
    for batch in itertools.islice(stream, recipe.steps):
        loss = dialogue_loss(model, features, batch, processor.tokenizer.pad_token_id)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if on_step:
            on_step(len(losses), losses[-1])
    model.eval()
    return losses
