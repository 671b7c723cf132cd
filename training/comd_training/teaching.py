"""What a batch carries of the teacher: the same dialogues as it reads them, or its stored logits.

The teacher has a processor of its own: another picture size, another number of picture tokens, perhaps
another chat template. So positions differ; what must not differ is the answers' tokens, in order, and
those align the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from comd_training.collate import Collator, Item
from comd_training.examples import Dialogue
from comd_training.failures import ConfigurationError, TrainingDataError
from comd_training.masking import IGNORED, stop_tokens
from comd_training.spec import TeacherSpec, TrainingSpec
from comd_training.stored_logits import StoredLogits
from comd_training.student import loading, resolve_model, with_chat_template
from comd_training.top_logits import TopLogits
from comd_training.vocabulary import Vocabulary, of_model, require_same

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ENDLESS = 1 << 30
SHOWN = 8
KEPT_BYTES = 128 * 2**20


@dataclass(frozen=True)
class TaughtCollator:
    """The student's batch with the teacher's beside it, under `teacher`."""

    student: Collator
    teacher: Collator

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        """Raises ConfigurationError where an answer's tokens are not the same for both."""
        ours, theirs = self.student(items), self.teacher(items)
        told = [
            (f"dialogue {item.dialogue.dialogue}", learned(labels))
            for item, labels in zip(items, theirs["labels"], strict=True)
        ]
        require_same_tokens(self.student, learned(ours["labels"]), told)
        return {**ours, "teacher": theirs}


@dataclass(frozen=True)
class StoredCollator:
    """The student's batch with the teacher's stored logits, under `teacher`: `ids` (N, k) int32 and
    `logprobs` (N, k + 1), float16 as int16, since the trainer casts floats to its own precision."""

    student: Collator
    stored: StoredLogits

    def __call__(self, items: Sequence[Item]) -> dict[str, Any]:
        """Raises ConfigurationError where an answer's tokens are not those the logits are for."""
        given = self.student(items)
        keys = [
            turn.instruction_key
            for item in items
            if item.carries_loss
            for turn in item.dialogue.turns
        ]
        found = [self.stored[key] for key in keys]
        told = [
            (f"instruction {key}", each.chosen.tolist())
            for key, each in zip(keys, found, strict=True)
        ]
        require_same_tokens(self.student, learned(given["labels"]), told)
        return {**given, "teacher": _joined(found)}


def _joined(found: list[TopLogits]) -> dict[str, Tensor]:
    if not found:  # a micro batch that only fills up
        return {"ids": torch.zeros(0, 1).int(), "logprobs": torch.zeros(0, 2).short()}
    return {
        "ids": torch.from_numpy(np.concatenate([each.ids for each in found])),
        "logprobs": torch.from_numpy(
            np.concatenate([each.logprobs for each in found]).view(np.int16)
        ),
    }


def taught(
    spec: TrainingSpec,
    student: Any,
    dialogues: Sequence[Dialogue],
    collator: Collator,
    teacher: tuple[PreTrainedModel, Any] | None,
) -> tuple[int, Callable[[Sequence[Item]], dict[str, Any]]]:
    """(tokens that distributions are compared over, the collator that adds the teacher's part).

    Raises ConfigurationError where the vocabularies differ, TrainingDataError naming the instructions
    for which no logits are stored.
    """
    vocabulary = of_model(spec.model, collator.processor.tokenizer, student)
    if spec.teacher is not None and teacher is not None:
        model, processor = teacher
        require_same(vocabulary, of_model(spec.teacher.model, processor.tokenizer, model))
        return vocabulary.tokens, TaughtCollator(collator, teacher_collator(collator, *teacher))
    top_k = spec.hyperparameters.objective.stored_top_k
    if spec.teacher_logits is not None and top_k is not None:
        stored = StoredLogits.open(spec.teacher_logits, top_k)
        _require_same_stored(vocabulary, stored)
        keys = [turn.instruction_key for each in dialogues for turn in each.turns]
        lacking = tuple(key for key in keys if key not in stored)
        if lacking:
            raise TrainingDataError(
                f"{len(lacking)} answers have no stored logits: {', '.join(lacking[:5])}", lacking
            )
        return vocabulary.tokens, StoredCollator(collator, stored)
    return vocabulary.tokens, collator


def _require_same_stored(vocabulary: Vocabulary, stored: StoredLogits) -> None:
    if vocabulary.digest() != stored.vocabulary:
        raise ConfigurationError(
            f"the stored logits are over the vocabulary of {stored.teacher}, and the student "
            f"{vocabulary.model} has another, so their distributions cannot be compared. Use objective "
            "sft, or a teacher of the student's family"
        )


def learned(labels: Tensor) -> list[int]:
    """Labels (T,) or (B, T), padded or packed -> the tokens that carry loss, in order."""
    found: list[int] = labels[labels != IGNORED].tolist()
    return found


def require_same_tokens(
    collator: Collator, ours: Sequence[int], told: Sequence[tuple[str, Sequence[int]]]
) -> None:
    """`ours`: what the student learns of a batch; `told`: the teacher's of each part of it, by name.

    Raises ConfigurationError that names the part where they part, and shows the tokens there.
    """
    found = _difference(list(ours), told)
    if found is not None:
        where, mine, theirs = found
        name = collator.processor.tokenizer.convert_ids_to_tokens
        raise ConfigurationError(
            f"{where}: the student learns the tokens {name(mine)} where the teacher has {name(theirs)}. "
            "Their chat templates or tokenizers set answers differently; give both one template "
            "(training.chat_template, teacher_chat_template)"
        )


def _difference(
    ours: list[int], told: Sequence[tuple[str, Sequence[int]]]
) -> tuple[str, list[int], list[int]] | None:
    """The first part that differs, and some tokens of both sides."""
    start = 0
    for where, theirs in told:
        end = start + len(theirs)
        if ours[start:end] != list(theirs):
            return where, ours[start:end][:SHOWN], list(theirs[:SHOWN])
        start = end
    return ("after the last answer", ours[start:][:SHOWN], []) if start < len(ours) else None


def load_teacher(spec: TrainingSpec) -> tuple[PreTrainedModel, Any]:
    """The frozen teacher in eval mode, whole on this rank's device, and its processor.

    To be called before TrainingArguments are made: from then on, under ZeRO-3, whatever is loaded is
    cut into shards. Raises ConfigurationError where it cannot be loaded.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    asked = spec.teacher
    assert asked is not None  # the spec sees to it
    source = resolve_model(asked.model, asked.revision)
    how = {"trust_remote_code": asked.trust_remote_code}
    with loading(asked.model, "teacher"):
        processor = AutoProcessor.from_pretrained(source, **how)
        model = AutoModelForImageTextToText.from_pretrained(
            source, dtype=_dtype(spec, asked), use_safetensors=True, **how
        )
    with_chat_template(processor, _chat_template(spec))
    model.requires_grad_(requires_grad=False)
    return model.eval().to(_device(spec)), processor


def teacher_collator(student: Collator, model: PreTrainedModel, processor: Any) -> Collator:
    """As the student's, with the teacher's processor; what is too long for the student is refused
    there, so only the teacher's own positions bound its dialogues."""
    return replace(
        student,
        processor=processor,
        max_length=getattr(model.config.get_text_config(), "max_position_embeddings", ENDLESS),
        stops=stop_tokens(processor.tokenizer, getattr(model, "generation_config", None)),
        splices=False,  # the cached tokens are of the student's template
        packs=False,
        rendered=type(student.rendered)(KEPT_BYTES),
        pictures=student.pictures,  # decoded once for both
    )


def _chat_template(spec: TrainingSpec) -> str | None:
    own: str | None = getattr(spec.hyperparameters.objective, "teacher_chat_template", None)
    return own or spec.hyperparameters.chat_template


def _device(spec: TrainingSpec) -> torch.device:
    if spec.device == "cpu":
        return torch.device("cpu")
    return torch.device("cuda", torch.cuda.current_device())


def _dtype(spec: TrainingSpec, asked: TeacherSpec) -> torch.dtype:
    """auto: bfloat16 or float16 where the student trains in it, else float32."""
    if asked.dtype != "auto":
        named: torch.dtype = getattr(torch, asked.dtype)
        return named
    return {"bf16": torch.bfloat16, "fp16": torch.float16}.get(
        spec.hyperparameters.precision, torch.float32
    )
