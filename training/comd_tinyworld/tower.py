"""Training the vision tower: it learns to tell pictures apart, and no word at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss
from transformers import CLIPVisionModel

from comd_tinyworld.characters import NAMES
from comd_tinyworld.models import WIDTH, build_tower, patch_features
from comd_tinyworld.scenes import COLOURS, PLACES, TIMES, Scene, pixels, scene
from comd_tinyworld.seeds import generator

STEPS = 3200
BATCH = 128
LEARNING_RATE = 5e-3
SCENES = 40_000
"""Different pictures; each is seen about `STEPS * BATCH / SCENES` times."""


def pixel_values(scenes: Sequence[Scene]) -> Tensor:
    """(N, 3, 24, 24), as the models' picture processor makes them: 0..255 mapped to -1..1."""
    stacked = np.stack([pixels(s) for s in scenes]).transpose(0, 3, 1, 2)
    return torch.from_numpy(stacked.astype(np.float32) / 127.5 - 1.0)


def codebook() -> list[Tensor]:
    """Arbitrary vectors, (values, 96) each, for who is shown, and in which colour, place and time.

    Looks are half as loud as characters, of which there are so many more to tell apart.
    """
    rng = generator("codes")
    scales = {len(NAMES): 1.0, len(COLOURS): 0.5, len(PLACES): 0.5, len(TIMES): 0.5}
    return [
        torch.from_numpy(rng.normal(0.0, scale, size=(values, WIDTH)).astype(np.float32))
        for values, scale in scales.items()
    ]


def aspects(scenes: Sequence[Scene]) -> Tensor:
    """(N, 4): the row of each scene's character, colour, place and time in the codebook."""
    colours, times = list(COLOURS), list(TIMES)
    rows = [
        (s.character.rank, colours.index(s.colour), PLACES.index(s.place), times.index(s.time))
        for s in scenes
    ]
    return torch.tensor(rows)


def tower_loss(patches: Tensor, rows: Tensor, book: Sequence[Tensor]) -> Tensor:
    """How far the patches, (B, 4, D), are from saying what the scenes, `rows` (B, 4), show.

    Each patch is to be the sum of the scene's four vectors, wherever the figure stands. Classifying
    by them finds the figure; the distance keeps the four equally loud. A tower trained to classify
    alone says who is there twenty times louder than whether it is night, and a language model then
    takes very long to hear the rest.
    """
    code = torch.stack([vectors[rows[:, i]] for i, vectors in enumerate(book)]).sum(0)  # (B, D)
    loss = 0.15 * mse_loss(patches, code[:, None].expand_as(patches))
    told = rows.repeat_interleave(patches.shape[1], dim=0)  # (B * 4, 4)
    for i, vectors in enumerate(book):
        logits = patches.flatten(0, 1) @ vectors.T / WIDTH**0.5
        loss = loss + cross_entropy(logits, told[:, i])
    return loss


def train_tower(steps: int = STEPS, scenes: int = SCENES) -> tuple[CLIPVisionModel, list[float]]:
    """A trained tower in eval mode, and its loss at every step."""
    shown = [scene("tower-train", i) for i in range(scenes)]
    x, y, book = pixel_values(shown), aspects(shown), codebook()
    tower = build_tower()
    optimizer = torch.optim.AdamW(tower.parameters(), lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    losses = []
    for batch in _batches(len(x), steps):
        loss = tower_loss(patch_features(tower, x[batch]), y[batch], book)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return tower.eval(), losses


def _batches(scenes: int, steps: int) -> Iterator[Tensor]:
    rng = generator("tower batches")
    size = min(BATCH, scenes)
    order: list[int] = []
    for _ in range(steps):
        if len(order) < size:
            order += rng.permutation(scenes).tolist()
        batch, order = order[:size], order[size:]
        yield torch.tensor(batch)


def features(tower: CLIPVisionModel, scenes: Sequence[Scene]) -> Tensor:
    """(N, 4, 96): what the frozen tower makes of scenes, to be computed once."""
    chunks = [scenes[i : i + 512] for i in range(0, len(scenes), 512)]
    with torch.no_grad():
        return torch.cat([patch_features(tower, pixel_values(chunk)) for chunk in chunks])
