"""A micro batch out of rows of different lengths: padded to the longest, or packed into one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from comd_training.masking import IGNORED


@dataclass(frozen=True, slots=True)
class Row:
    """One dialogue, its picture's tokens in place.

    ids, labels: (T,) long; extras: what else the processor tells of each token, (T,) long each.
    """

    ids: Tensor
    labels: Tensor
    extras: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def learns(self) -> bool:
        """Whether it carries loss: rows that only fill a place do not."""
        return bool((self.labels != IGNORED).any())


def pad(rows: Sequence[Row], pad_id: int) -> dict[str, Tensor]:
    """`input_ids`, `attention_mask`, `labels` and extras, (B, T), padded on the right."""
    lengths = torch.tensor([len(row.ids) for row in rows])
    mask = (torch.arange(int(lengths.max()))[None] < lengths[:, None]).long()
    names = sorted({name for row in rows for name in row.extras})
    return {
        "input_ids": _stacked([row.ids for row in rows], pad_id),
        "attention_mask": mask,
        "labels": _stacked([row.labels for row in rows], IGNORED),
        **{name: _stacked([extra(row, name) for row in rows], 0) for name in names},
    }


def pack(rows: Sequence[Row]) -> dict[str, Any]:
    """All rows one behind the other in one, (1, T), with nothing between: segments.

    position_ids begin anew in each; `segment_lengths`, and the same as flash attention takes it
    (`cu_seq_lens_*`, `max_length_*`), keep them from seeing each other (attention.py);
    `logits_to_keep`: (N + 1,) the N positions whose next token carries loss, and one more
    (`answers_only`). Rows without loss are left out, unless there are no others.
    """
    kept = [row for row in rows if row.learns] or [min(rows, key=lambda row: len(row.ids))]
    lengths = [len(row.ids) for row in kept]
    ends = torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32)
    labels = torch.cat([row.labels for row in kept])
    names = sorted({name for row in kept for name in row.extras})
    total = sum(lengths)
    return {
        "input_ids": torch.cat([row.ids for row in kept])[None],
        "attention_mask": torch.ones(1, total, dtype=torch.long),
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        "labels": labels[None],
        "segment_lengths": tuple(lengths),
        "cu_seq_lens_q": ends,
        "cu_seq_lens_k": ends,
        "max_length_q": max(lengths),
        "max_length_k": max(lengths),
        "logits_to_keep": torch.cat([_answers(labels), torch.tensor([total - 1])]),
        **{name: torch.cat([extra(row, name) for row in kept])[None] for name in names},
    }


def answers_only(inputs: Mapping[str, Any], labels: Tensor) -> Tensor:
    """Labels (1, N + 1) for the logits (1, N + 1, V) that a packed row's `logits_to_keep` leaves.

    Shifted against each other by one, as (1, T) labels and (1, T, V) logits are: the first label and
    the last row of logits have no partner.
    """
    kept = labels[:, inputs["logits_to_keep"][:-1] + 1]
    return torch.cat([torch.full_like(labels[:, :1], IGNORED), kept], dim=1)


def _answers(labels: Tensor) -> Tensor:
    """(T,) labels -> (N,) positions whose next token carries loss."""
    return (labels[1:] != IGNORED).nonzero()[:, 0]


def extra(row: Row, name: str) -> Tensor:
    """What a row tells of its tokens under `name`; zeros where it tells nothing (no picture)."""
    found = row.extras.get(name)
    return torch.zeros_like(row.ids) if found is None else found


def unpad(batch: Mapping[str, Any], names: Sequence[str]) -> list[Row]:
    """The rows of a batch that the processor has padded on the right; `names`: its extras."""
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    return [
        Row(
            batch["input_ids"][at, :length],
            batch["labels"][at, :length],
            {name: batch[name][at, :length] for name in names},
        )
        for at, length in enumerate(lengths)
    ]


def _stacked(rows: Sequence[Tensor], filling: int) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=filling)
