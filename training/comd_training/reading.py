"""What a training reads: dialogues from the token cache, how they become batches, in which layout."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comd_training.arrange import Arrange, balanced, by_length
from comd_training.checks import check_tokenised
from comd_training.collate import Collator
from comd_training.failures import TrainingDataError
from comd_training.masking import stop_tokens
from comd_training.packing import attend_in_segments, why_not_packed
from comd_training.spec import TrainingSpec
from comd_training.tokens import TokenisedDialogues, open_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

logger = logging.getLogger(__name__)


def read(
    spec: TrainingSpec, model: PreTrainedModel, processor: Any, alive: Callable[[], None]
) -> tuple[TokenisedDialogues, Collator, Arrange]:
    """The training set, looked at before the first step; its collator; the order within a step.

    A model that is trained on packed rows is made to attend in segments. Raises TrainingDataError.
    """
    asked = spec.hyperparameters
    stops = stop_tokens(processor.tokenizer, getattr(model, "generation_config", None))
    collator = Collator(processor, spec.image_root, asked.max_length, stops, spec.layout)
    dialogues = open_tokens(spec.token_root, spec.examples, collator, alive)
    if not len(dialogues):
        raise TrainingDataError(f"{spec.examples} holds no dialogues", ())
    picture = check_tokenised(dialogues, collator)
    collator = collator.that_splices(dialogues)
    if asked.batching == "padded":
        return dialogues, collator, list
    lengths = dialogues.lengths + picture * dialogues.has_picture()
    refused = why_not_packed(model.config) if asked.batching == "packed" else "grouped"
    if refused is None:
        attend_in_segments(model)
        micro = asked.split(spec.ranks).micro
        return dialogues, replace(collator, packs=True), balanced(lengths, micro)
    if asked.batching == "packed":
        logger.warning("batches are grouped by length and padded, not packed: %s", refused)
    return dialogues, collator, by_length(lengths)
