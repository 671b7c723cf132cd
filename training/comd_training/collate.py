"""Dialogues to tensors: text, pictures and labels, through the model's processor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from comd_platform.images import load_upright, stored_file
from comd_training.captions import render_caption
from comd_training.checks import MEASURED
from comd_training.examples import Dialogue
from comd_training.failures import ConfigurationError, TrainingDataError
from comd_training.kept import Kept
from comd_training.masking import IGNORED, Rendered, chat_template_of, render, token_labels
from comd_training.rows import Row, pack, pad, unpad
from comd_training.spec import Layout
from comd_training.tokens import TokenisedDialogues, Tokens

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Item:
    """A dialogue as a batch takes it; without loss where it only fills the last batch up.

    tokens: from the cache; None: not tokenised yet.
    """

    dialogue: Dialogue
    carries_loss: bool
    tokens: Tokens | None = None


class Dialogues:
    """A map-style data set; index `~i` (negative) is dialogue i without loss (see order.py)."""

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self.dialogues = dialogues

    def __len__(self) -> int:
        return len(self.dialogues)

    def __getitem__(self, index: int) -> Item:
        row = index if index >= 0 else ~index
        cached = isinstance(self.dialogues, TokenisedDialogues)
        tokens = self.dialogues.tokens(row) if cached else None  # type: ignore[attr-defined]
        return Item(self.dialogues[row], carries_loss=index >= 0, tokens=tokens)


# Rough sizes of a rendered dialogue beside its text: spans, strings, the dialogue as a key.
RENDERED_BYTES = 2000
KEPT_BYTES = 128 * 2**20

PER_TOKEN = frozenset({"token_type_ids", "mm_token_type_ids"})
"""What processors tell of every token beside its id and mask."""


@dataclass(frozen=True)
class Collator:
    """Renders, tokenises, puts picture tokens in, pads right or packs, and masks.

    processor: of the model, with its chat template; `image_root`: what `Dialogue.image` is relative
    to; `max_length`: tokens a dialogue, picture included; `stops`: masking.stop_tokens; `layout`:
    through the chat template, or as a bare caption (`captions.py`); `splices`: cached tokens are
    used, and only the picture's go through the processor (`that_splices` says when that is right);
    `packs`: into one row (`rows.pack`). The rest: what is remembered between passes (rendering and
    decoding cost as much as a small model).
    """

    processor: Any
    image_root: Path
    max_length: int
    stops: frozenset[str]
    layout: Layout = "dialogue"
    splices: bool = False
    packs: bool = False
    rendered: Kept[Rendered] = field(default_factory=lambda: Kept(KEPT_BYTES))
    pictures: Kept[Image.Image] = field(default_factory=lambda: Kept(KEPT_BYTES))

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        """`input_ids`, `attention_mask`, `labels` (B, T) and what else the processor gives.

        Raises TrainingDataError naming the instructions, ConfigurationError for the processor.
        """
        if self.packs:
            items = [item for item in items if item.carries_loss] or items[:1]
        if self.splices and all(item.tokens is not None for item in items):
            rows, others = self._spliced(items)
        else:
            batch = self._processed(items)
            if not self.packs:
                return batch
            told = {"input_ids", "attention_mask", "labels", *PER_TOKEN}
            rows = unpad(batch, [name for name in sorted(PER_TOKEN) if name in batch])
            others = {name: value for name, value in batch.items() if name not in told}
        made = pack(rows) if self.packs else pad(rows, self.processor.tokenizer.pad_token_id)
        return made | others

    def that_splices(self, dialogues: Sequence[Dialogue]) -> Collator:
        """This collator, putting picture tokens into cached ones where that gives what the processor
        gives for whole dialogues; itself, and a warning, where it does not. Tried on a few."""
        tried = list(islice((d for d in dialogues if d.image is not None), MEASURED))
        spliced = replace(self, splices=True, packs=False)
        if not tried or spliced.agrees(tried):
            return replace(self, splices=True)
        logger.warning(
            "%s sets pictures into text in a way of its own: every batch is tokenised anew",
            type(self.processor).__name__,
        )
        return self

    def agrees(self, dialogues: Sequence[Dialogue]) -> bool:
        """Whether splicing gives just what the processor gives for these dialogues."""
        whole = self._processed([Item(d, carries_loss=True) for d in dialogues])
        told = zip(dialogues, self.tokenise(dialogues), strict=True)
        items = [Item(d, carries_loss=True, tokens=tokens) for d, tokens in told]
        try:
            rows, others = self._spliced(items)
        except ConfigurationError as error:
            logger.info("not spliced: %s", error)
            return False
        made = pad(rows, self.processor.tokenizer.pad_token_id) | others
        return made.keys() == whole.keys() and all(
            torch.equal(made[name], whole[name]) for name in made
        )

    def tokenise(self, dialogues: Sequence[Dialogue]) -> list[Tokens]:
        """Their tokens, a picture being its placeholder, and where answers are (masking.py).

        Raises TrainingDataError naming the instruction.
        """
        rendered = [self._render(dialogue) for dialogue in dialogues]
        stop_ids = self._stop_ids()
        made: list[Tokens] = []
        for each in rendered:
            told = self.tokens(each.text)
            labels = token_labels(each, told["input_ids"], told["offset_mapping"], [], stop_ids)
            ids = np.asarray(told["input_ids"], np.int32)
            made.append(Tokens(ids, np.asarray(labels) != IGNORED))
        return made

    def template(self) -> str | None:
        """What dialogues are rendered with."""
        return None if self.layout == "caption" else chat_template_of(self.processor)

    def _processed(self, items: Sequence[Item]) -> dict[str, torch.Tensor]:
        """Whole dialogues through the processor."""
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

    def _spliced(self, items: Sequence[Item]) -> tuple[list[Row], dict[str, torch.Tensor]]:
        """Cached tokens with the picture's in place of its placeholder; and the pictures themselves."""
        pictured = [item.dialogue for item in items if item.dialogue.image is not None]
        told: dict[str, Any] = {}
        if pictured:
            told = dict(
                self.processor(
                    text=[self.processor.image_token] * len(pictured),
                    images=[[self.picture(dialogue)] for dialogue in pictured],
                    add_special_tokens=False,
                    padding=True,
                    padding_side="right",
                )
            )
        masks = told.pop("attention_mask", [])
        per_token = {name: told.pop(name) for name in (*PER_TOKEN, "input_ids") if name in told}
        at = 0
        rows = []
        for item in items:
            assert item.tokens is not None  # asked before
            pieces: dict[str, torch.Tensor] = {}
            if item.dialogue.image is not None:
                length = int(sum(masks[at]))
                pieces = {n: torch.as_tensor(each[at])[:length] for n, each in per_token.items()}
                at += 1
            row = self._row(item, item.tokens, pieces)
            self._check_length(item.dialogue, len(row.ids))
            rows.append(row)
        return rows, {name: _tensor(value) for name, value in told.items()}

    def _row(self, item: Item, tokens: Tokens, pieces: dict[str, torch.Tensor]) -> Row:
        ids = torch.from_numpy(tokens.ids.astype(np.int64))
        learned = torch.from_numpy(tokens.learned) & item.carries_loss
        labels = torch.where(learned, ids, IGNORED)
        if not pieces:
            return Row(ids, labels)
        places = (ids == self.processor.image_token_id).nonzero()
        if len(places) != 1:
            raise ConfigurationError(
                f"dialogue {item.dialogue.dialogue} has {len(places)} places for its picture, not one"
            )
        place = int(places[0])

        def spliced(whole: torch.Tensor, piece: torch.Tensor) -> torch.Tensor:
            return torch.cat([whole[:place], piece, whole[place + 1 :]])

        picture = pieces.pop("input_ids")
        zeros = torch.zeros_like(ids)
        return Row(
            spliced(ids, picture),
            spliced(labels, torch.full_like(picture, IGNORED)),
            {name: spliced(zeros, piece) for name, piece in pieces.items()},
        )

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
