"""Nothing in masks and batches knows what a LLaVA is: other families' processors, same dialogues."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from vision_families import FAMILIES, tiny_model

from comd_training.collate import Collator, Item
from comd_training.examples import Dialogue, Turn
from comd_training.masking import stop_tokens
from comd_training.packing import WRAPPERS, attend_in_segments, why_not_packed
from comd_training.rows import answers_only

DIALOGUES = [
    Dialogue(
        "two",
        "0.png",
        "before",
        (Turn("a", "What colour is this ?", "red"), Turn("b", "where ?", "left top")),
    ),
    Dialogue("text", None, "before", (Turn("c", "who ?", "cat"),)),
    Dialogue("after", "wide.png", "after", (Turn("d", "What colour is this ?", "green"),)),
]


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def collator(family: str, tiny_processor: Any, pictures: Path, tmp_path: Path) -> Collator:
    """Pictures of two sizes: some families take as many tokens as a picture is large."""
    (tmp_path / "0.png").write_bytes((pictures / "0.png").read_bytes())
    Image.new("RGB", (32, 16), (0, 200, 0)).save(tmp_path / "wide.png")
    processor = FAMILIES[family](tiny_processor)
    return Collator(processor, tmp_path, 512, stop_tokens(processor.tokenizer))


def items(collator: Collator, dialogues: list[Dialogue]) -> list[Item]:
    cached = collator.tokenise(dialogues)
    return [Item(d, carries_loss=True, tokens=t) for d, t in zip(dialogues, cached, strict=True)]


def test_answers_and_stop_tokens_in_every_family(family: str, collator: Collator) -> None:
    processor = collator.processor
    batch = collator([Item(d, carries_loss=True) for d in DIALOGUES])
    names = processor.tokenizer.convert_ids_to_tokens
    carried = [names(row[row != -100].tolist()) for row in batch["labels"]]
    assert carried == [["red", "</s>", "left", "top", "</s>"], ["cat", "</s>"], ["green", "</s>"]]
    # The label is the token itself, and answers stand behind what asks for them.
    assert ((batch["labels"] == batch["input_ids"]) | (batch["labels"] == -100)).all()
    first = names(batch["input_ids"][0].tolist())
    assert first.index("red") > first.index("colour")
    assert first.index("left") > first.index("where")
    image = processor.image_token_id
    assert (batch["input_ids"] == image).sum(dim=1).gt(3).tolist() == [True, False, True]
    colour = processor.tokenizer.convert_tokens_to_ids("colour")
    first, after = batch["input_ids"][0].tolist(), batch["input_ids"][2].tolist()
    assert first.index(image) < first.index(colour)
    assert after.index(image) > after.index(colour)


def test_cached_tokens_and_pictures_make_what_the_processor_makes(
    family: str, collator: Collator
) -> None:
    import torch

    pictured = [d for d in DIALOGUES if d.image is not None]
    spliced = collator.that_splices(DIALOGUES)
    assert spliced.splices
    whole, ours = collator([Item(d, True) for d in pictured]), spliced(items(collator, pictured))
    assert whole.keys() == ours.keys()
    for name, value in whole.items():
        assert torch.equal(value, ours[name]), name


def loss_and_gradients(model: Any, batch: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Summed cross-entropy of the answers, as the sft objective takes it from either kind of batch."""
    import torch

    given = dict(batch)
    labels = given.pop("labels")
    if "logits_to_keep" in given:
        labels = answers_only(given, labels)
    logits = model(**given, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(), reduction="sum"
    )
    model.zero_grad()
    loss.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return loss.item(), gradients


@pytest.mark.parametrize("family", sorted(WRAPPERS), indirect=True)
def test_a_packed_row_has_the_loss_and_the_gradients_of_a_padded_batch(
    family: str, collator: Collator
) -> None:
    import torch

    model = tiny_model(family, collator.processor)
    assert why_not_packed(model.config) is None
    given = items(collator, [*DIALOGUES, DIALOGUES[2], DIALOGUES[0]])
    padded = collator(given)
    loss, gradients = loss_and_gradients(model, padded)

    attend_in_segments(model)
    packed = replace(collator, splices=True, packs=True)(given)
    tokens = int(padded["attention_mask"].sum())
    assert packed["input_ids"].shape == (1, tokens)
    assert len(packed["logits_to_keep"]) == int((padded["labels"] != -100).sum()) + 1
    ours, our_gradients = loss_and_gradients(model, packed)
    assert ours == pytest.approx(loss, rel=2e-6)
    assert our_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(our_gradients[name], gradient, rtol=1e-3, atol=1e-5)

    # It is the segments that keep them apart: without them the loss is another one.
    joined = packed | {"segment_lengths": (tokens,), "position_ids": torch.arange(tokens)[None]}
    assert loss_and_gradients(model, joined)[0] != pytest.approx(loss, rel=5e-5)


def test_packing_through_the_processor_is_the_same(family: str, collator: Collator) -> None:
    import torch

    given = items(collator, DIALOGUES)
    one = replace(collator, packs=True)(given)
    other = replace(collator, packs=True, splices=True)(given)
    for name in ("input_ids", "labels", "position_ids", "logits_to_keep"):
        assert torch.equal(one[name], other[name]), name


def test_places_without_loss_are_left_out_of_packed_rows(
    tiny_processor: Any, pictures: Path
) -> None:
    collator = Collator(tiny_processor, pictures, 256, stop_tokens(tiny_processor.tokenizer))
    packing = replace(collator, packs=True)
    text = DIALOGUES[1]
    (cached,) = collator.tokenise([text])
    learned, idle = Item(text, True, cached), Item(DIALOGUES[0], False)
    assert packing([learned, idle])["segment_lengths"] == (len(cached.ids),)
    alone = packing([idle, idle])
    assert len(alone["segment_lengths"]) == 1  # something for this rank to do
    assert (alone["labels"] == -100).all()


def test_families_that_are_not_packed_say_why() -> None:
    from transformers import AutoConfig

    def refused(family: str, **config: Any) -> str | None:
        return why_not_packed(AutoConfig.for_model(family, **config))

    assert "family qwen2_vl" in str(refused("qwen2_vl"))
    assert "family paligemma" in str(refused("paligemma"))
    assert "model gemma" in str(refused("llava", text_config={"model_type": "gemma"}))
    sliding = {"model_type": "mistral", "sliding_window": 4096}
    assert "sliding window" in str(refused("llava", text_config=sliding))
    assert refused("llava", text_config={"model_type": "mistral", "sliding_window": None}) is None
