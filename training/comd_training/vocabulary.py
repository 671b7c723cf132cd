"""Whether teacher and student speak in the same tokens, which white-box distillation needs. No torch.

A distribution over tokens means nothing in another vocabulary, and nothing fails by itself: token 17
of one is compared with token 17 of the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comd_training.failures import ConfigurationError

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A model's tokens with their ids, and `width`: how many logits its head has (None: not known).

    The head may be wider than the vocabulary: those rows stand for no token.
    """

    model: str
    ids: Mapping[str, int]
    width: int | None = None

    @property
    def tokens(self) -> int:
        """One more than the highest id: what distributions are compared over."""
        return max(self.ids.values()) + 1

    def digest(self) -> str:
        """SHA-256 of tokens and ids; equal where the vocabularies are."""
        told = json.dumps(sorted(self.ids.items()), ensure_ascii=True)
        return hashlib.sha256(told.encode()).hexdigest()


def of_model(name: str, tokenizer: Any, model: Any) -> Vocabulary:
    """Of a loaded tokenizer and model."""
    return Vocabulary(name, tokenizer.get_vocab(), model.config.get_text_config().vocab_size)


def read_vocabulary(directory: Path) -> Vocabulary | None:
    """From a model directory's tokenizer.json and config.json, without loading anything; None where
    there is no tokenizer.json to tell (a hub id, a tokenizer of the slow kind)."""
    path = directory / "tokenizer.json"
    if not path.is_file():
        return None
    told = json.loads(path.read_text(encoding="utf-8"))
    known = told["model"]["vocab"]
    ids = dict(known) if isinstance(known, dict) else {t: i for i, (t, _) in enumerate(known)}
    ids |= {added["content"]: added["id"] for added in told.get("added_tokens", ())}
    return Vocabulary(str(directory), ids, _width(directory / "config.json"))


def require_same(student: Vocabulary, teacher: Vocabulary) -> None:
    """Raises ConfigurationError naming both models and the first tokens (by id) that differ."""
    found = list(_differences(student, teacher))
    if found:
        shown = "; ".join(found[:SHOWN])
        more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
        raise ConfigurationError(
            f"the student {student.model} and the teacher {teacher.model} have different vocabularies "
            f"({len(student.ids)} and {len(teacher.ids)} tokens), so their distributions cannot be "
            f"compared: {shown}{more}. Use objective sft, or a teacher of the student's family"
        )
    for each in (student, teacher):
        if each.width is not None and each.width < each.tokens:
            raise ConfigurationError(
                f"{each.model} has {each.width} logits for {each.tokens} tokens: its tokenizer is not "
                "that of its weights"
            )


def _differences(student: Vocabulary, teacher: Vocabulary) -> Iterator[str]:
    ours, theirs = student.ids, teacher.ids
    differing = [token for token in {*ours, *theirs} if ours.get(token) != theirs.get(token)]
    for token in sorted(
        differing, key=lambda t: (min(ours.get(t, 1 << 40), theirs.get(t, 1 << 40)), t)
    ):
        yield f"{token!r} is {_id(ours, token)} to the student and {_id(theirs, token)} to the teacher"


def _id(ids: Mapping[str, int], token: str) -> str:
    return f"token {ids[token]}" if token in ids else "no token"


def _width(config: Path) -> int | None:
    if not config.is_file():
        return None
    told = json.loads(config.read_text(encoding="utf-8"))
    found = (told.get("text_config") or {}).get("vocab_size") or told.get("vocab_size")
    return None if found is None else int(found)
