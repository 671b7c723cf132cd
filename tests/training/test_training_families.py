"""Nothing in masks and batches knows what a LLaVA is: other families' processors, same dialogues."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from comd_training.collate import Collator, Item
from comd_training.examples import Dialogue, Turn
from comd_training.masking import stop_tokens

IDEFICS = (
    "{% for message in messages %}{{ message['role'] | capitalize }} : "
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant : ' }}{% endif %}"
)


def llava_next(tiny: Any) -> Any:
    from transformers import LlavaNextImageProcessorPil, LlavaNextProcessor

    return LlavaNextProcessor(
        image_processor=LlavaNextImageProcessorPil(
            size={"shortest_edge": 8},
            crop_size={"height": 8, "width": 8},
            image_grid_pinpoints=[[8, 16], [16, 8], [16, 16]],
        ),
        tokenizer=tiny.tokenizer,
        patch_size=4,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tiny.chat_template,
    )


def idefics3(tiny: Any) -> Any:
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor

    tokenizer = copy.deepcopy(tiny.tokenizer)
    special = ["<image>", "<fake_token_around_image>", "<end_of_utterance>", "<global-img>"]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return Idefics3Processor(
        image_processor=Idefics3ImageProcessorPil(
            size={"longest_edge": 16}, max_image_size={"longest_edge": 8}
        ),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=IDEFICS,
    )


@pytest.mark.parametrize("family", [llava_next, idefics3])
def test_answers_and_stop_tokens_in_other_families(
    family: Any, tiny_processor: Any, pictures: Path
) -> None:
    processor = family(tiny_processor)
    collator = Collator(processor, pictures, 256, stop_tokens(processor.tokenizer))
    dialogues = [
        Dialogue(
            "two",
            "0.png",
            "before",
            (Turn("a", "What colour is this ?", "red"), Turn("b", "where ?", "left top")),
        ),
        Dialogue("text", None, "before", (Turn("c", "who ?", "cat"),)),
        Dialogue("after", "1.png", "after", (Turn("d", "What colour is this ?", "green"),)),
    ]
    batch = collator([Item(d, carries_loss=True) for d in dialogues])
    image = processor.tokenizer.convert_tokens_to_ids("<image>")
    carried = [
        processor.tokenizer.convert_ids_to_tokens(row[row != -100].tolist())
        for row in batch["labels"]
    ]
    assert carried == [["red", "</s>", "left", "top", "</s>"], ["cat", "</s>"], ["green", "</s>"]]
    pictures_in = (batch["input_ids"] == image).sum(dim=1).tolist()
    assert pictures_in[0] == pictures_in[2] > 4
    assert pictures_in[1] == 0
    colour = processor.tokenizer.convert_tokens_to_ids("colour")
    first, after = batch["input_ids"][0].tolist(), batch["input_ids"][2].tolist()
    assert first.index(image) < first.index(colour)
    assert after.index(image) > after.index(colour)
