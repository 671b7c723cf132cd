"""Dialogues to tensors: text, pictures and labels, through the model's processor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from comd_platform.images import load_upright, stored_file
from comd_training.captions import render_caption
from comd_training.examples import Dialogue
from comd_training.failures import ConfigurationError, TrainingDataError
from comd_training.kept import Kept
from comd_training.masking import IGNORED, Rendered, render, token_labels
from comd_training.spec import Layout


@dataclass(frozen=True, slots=True)
class Item:
    """A dialogue as a batch takes it; without loss where it only fills the last batch up."""

    dialogue: Dialogue
    carries_loss: bool


class Dialogues:
    """A map-style data set; index `~i` (negative) is dialogue i without loss (see order.py)."""

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self.dialogues = dialogues

    def __len__(self) -> int:
        return len(self.dialogues)

    def __getitem__(self, index: int) -> Item:
        if index < 0:
            return Item(self.dialogues[~index], carries_loss=False)
        return Item(self.dialogues[index], carries_loss=True)


# Rough sizes of a rendered dialogue beside its text: spans, strings, the dialogue as a key.
RENDERED_BYTES = 2000
KEPT_BYTES = 128 * 2**20


@dataclass(frozen=True)
class Collator:
    """Renders, tokenises, pads right and masks.

    processor: of the model, with its chat template; `image_root`: what `Dialogue.image` is relative
    to; `max_length`: tokens a dialogue, picture included; `stops`: masking.stop_tokens; `layout`:
    through the chat template, or as a bare caption (`captions.py`); the
    rest: what is remembered between passes (rendering and decoding cost as much as a small model).
    """

    processor: Any
    image_root: Path
    max_length: int
    stops: frozenset[str]
    layout: Layout = "dialogue"
    rendered: Kept[Rendered] = field(default_factory=lambda: Kept(KEPT_BYTES))
    pictures: Kept[Image.Image] = field(default_factory=lambda: Kept(KEPT_BYTES))

    def __call__(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """`input_ids`, `attention_mask`, `labels` (B, T) and what else the processor gives.

        Raises TrainingDataError naming the instructions, ConfigurationError for the processor.
        """
        dialogues = [item.dialogue for item in items]
        rendered = [self.render(dialogue) for dialogue in dialogues]
        encoded = self._encode(dialogues, rendered)
        offsets = encoded.pop("offset_mapping")
        expansions = encoded.pop("text_replacement_offsets", None) or [[] for _ in items]
        input_ids = encoded["input_ids"]
        stop_ids = self._stop_ids()
        labels = []
        for row, item in enumerate(items):
            self._check_expansion(item.dialogue, expansions[row])
            length = int(sum(encoded["attention_mask"][row]))
            self._check_length(item.dialogue, length)
            found = token_labels(
                rendered[row], input_ids[row], offsets[row], expansions[row], stop_ids
            )
            labels.append(found if item.carries_loss else [IGNORED] * len(found))
        tensors = {name: _tensor(value) for name, value in encoded.items()}
        return tensors | {"labels": torch.tensor(labels, dtype=torch.long)}

    def render(self, dialogue: Dialogue) -> Rendered:
        """`masking.render` with this processor, remembered."""
        return self.rendered.get(
            dialogue,
            lambda: self._render(dialogue),
            lambda made: RENDERED_BYTES + 4 * len(made.text),
        )

    def _render(self, dialogue: Dialogue) -> Rendered:
        if self.layout == "caption":
            return render_caption(self.processor, dialogue)
        return render(self.processor, dialogue, self.stops)

    def _stop_ids(self) -> frozenset[int] | None:
        if self.layout == "caption":
            return None  # nothing is learned after a caption
        return frozenset(self.processor.tokenizer.convert_tokens_to_ids(sorted(self.stops)))

    def _encode(self, dialogues: list[Dialogue], rendered: list[Rendered]) -> dict[str, Any]:
        texts = [r.text for r in rendered]
        pictures = [[self.picture(d)] if d.image is not None else [] for d in dialogues]
        return dict(
            self.processor(
                text=texts,
                images=pictures if any(pictures) else None,
                add_special_tokens=self._adds_special(texts[0]),
                padding=True,
                padding_side="right",
                return_offsets_mapping=True,
                return_text_replacement_offsets=True,
            )
        )

    def picture(self, dialogue: Dialogue) -> Image.Image:
        """Its picture, decoded, remembered. Raises TrainingDataError where it cannot be read."""
        return self.pictures.get(dialogue.image, partial(self._picture, dialogue), _picture_bytes)

    def expansion(self, dialogue: Dialogue) -> int:
        """How many tokens its picture adds to those of the text with its placeholder."""
        rendered = self.render(dialogue)
        encoded = self._encode([dialogue], [rendered])
        return len(encoded["input_ids"][0]) - len(self.tokens(rendered.text)["input_ids"])

    def tokens(self, text: str) -> Any:
        """A rendered dialogue's tokens with their offsets, the picture as its bare placeholder."""
        return self.processor.tokenizer(
            text, add_special_tokens=self._adds_special(text), return_offsets_mapping=True
        )

    def _adds_special(self, text: str) -> bool:
        # What apply_chat_template does: a template that writes the first token itself is not given
        # a second one by the tokenizer.
        bos = self.processor.tokenizer.bos_token
        return not (bos and text.startswith(bos))

    def _picture(self, dialogue: Dialogue) -> Image.Image:
        path = self.image_root / str(dialogue.image)
        try:
            return load_upright(stored_file(self.image_root, str(dialogue.image)))
        # Pillow's decoders raise almost anything on a damaged file; each means the same.
        except Exception as error:
            raise TrainingDataError(
                f"dialogue {dialogue.dialogue}: cannot read its picture {path}: {error}",
                tuple(turn.instruction_key for turn in dialogue.turns),
            ) from error

    def _check_expansion(self, dialogue: Dialogue, expansions: Sequence[dict[str, Any]]) -> None:
        if (dialogue.image is not None) != bool(expansions):
            raise ConfigurationError(
                f"the processor {type(self.processor).__name__} does not tell where it expanded "
                "the image token, so answers cannot be found in its tokens"
            )

    def _check_length(self, dialogue: Dialogue, length: int) -> None:
        if length > self.max_length:
            # Right padding: what is cut is the end, so the last answer would lose its stop token.
            raise TrainingDataError(
                f"dialogue {dialogue.dialogue} has {length} tokens, max_length is "
                f"{self.max_length}: its last answer would be cut off",
                (dialogue.turns[-1].instruction_key,),
            )


def _picture_bytes(picture: Image.Image) -> int:
    return 1000 + 3 * picture.width * picture.height


def _tensor(value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, list) and value and hasattr(value[0], "shape"):
        return torch.stack([torch.as_tensor(part) for part in value])
    return torch.as_tensor(value)
