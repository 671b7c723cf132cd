"""Token by token: what carries loss, through a real (tiny) LLaVA processor with real templates."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from comd_training.checks import check_dialogues, picture_tokens
from comd_training.collate import Collator, Item
from comd_training.examples import Dialogue, ImagePosition, Turn
from comd_training.failures import ConfigurationError, TrainingDataError
from comd_training.kept import Kept
from comd_training.masking import render, stop_tokens

SYSTEM = (
    "A chat between a curious user and an artificial intelligence <unk> The assistant gives <unk> "
    "<unk> and polite answers to the user's <unk>"
)

# No generation marks, and something after the stop token: how ChatML-like templates look.
UNMARKED = (
    "{% for message in messages %}[INST] {{ message['role'] }} : "
    "{% for part in message['content'] %}"
    "{{ '<image> ' if part['type'] == 'image' else part['text'] }}{% endfor %}"
    "</s> ,\n{% endfor %}{% if add_generation_prompt %}[INST] assistant : {% endif %}"
)


def dialogue(
    position: ImagePosition = "before",
    image: str | None = "0.png",
    answers: tuple[str, ...] = ("red",),
) -> Dialogue:
    questions = ("What colour is this ?", "where is it ?", "who ?")
    turns = tuple(
        Turn(f"key{n}", q, a) for n, (q, a) in enumerate(zip(questions, answers, strict=False))
    )
    return Dialogue("d", image, position, turns)


@pytest.fixture
def collator(tiny_processor: Any, pictures: Path) -> Collator:
    return Collator(tiny_processor, pictures, 256, stop_tokens(tiny_processor.tokenizer))


def with_template(collator: Collator, template: str) -> Collator:
    processor = copy.copy(collator.processor)
    processor.chat_template = template
    return Collator(processor, collator.image_root, collator.max_length, collator.stops)


def shown(collator: Collator, *dialogues: Dialogue) -> list[str]:
    """Each row as words; what carries loss is in braces, the system sentence is cut off."""
    batch = collator([Item(d, carries_loss=True) for d in dialogues])
    rows = []
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        words = collator.processor.tokenizer.convert_ids_to_tokens(ids.tolist())
        for word_id, label in zip(ids.tolist(), labels.tolist(), strict=True):
            assert label in (-100, word_id)
        marked = [
            word if label == -100 else "{" + word + "}"
            for word, label in zip(words, labels.tolist(), strict=True)
        ]
        rows.append(" ".join(marked).removeprefix(SYSTEM).strip())
    return rows


PICTURE = "<image> <image> <image> <image>"


def test_only_answer_and_stop_token_of_a_single_turn(collator: Collator) -> None:
    assert shown(collator, dialogue()) == [
        f"USER : {PICTURE} What colour is this ? ASSISTANT : {{red}} {{</s>}}"
    ]


def test_picture_after_the_first_question(collator: Collator) -> None:
    assert shown(collator, dialogue("after")) == [
        f"USER : What colour is this ? {PICTURE} ASSISTANT : {{red}} {{</s>}}"
    ]


def test_every_answer_of_a_multi_turn_dialogue_and_right_padding(collator: Collator) -> None:
    several = dialogue("before", answers=("red", "left top", "who"))
    assert shown(collator, several, dialogue("after"), dialogue(image=None)) == [
        f"USER : {PICTURE} What colour is this ? ASSISTANT : {{red}} {{</s>}} "
        "USER : where is it ? ASSISTANT : {left} {top} {</s>} "
        "USER : who ? ASSISTANT : {who} {</s>}",
        f"USER : What colour is this ? {PICTURE} ASSISTANT : {{red}} {{</s>}}" + " <pad>" * 19,
        "USER : What colour is this ? ASSISTANT : {red} {</s>}" + " <pad>" * 23,
    ]


def test_pictures_stand_for_the_rows_that_have_one(collator: Collator) -> None:
    batch = collator(
        [Item(dialogue(), True), Item(dialogue(image=None), True), Item(dialogue(), True)]
    )
    assert batch["pixel_values"].shape == (2, 3, 8, 8)


def test_unmarked_template_and_what_follows_the_stop_token_carries_no_loss(
    collator: Collator,
) -> None:
    unmarked = with_template(collator, UNMARKED)
    rows = shown(unmarked, dialogue("after", answers=("red", "left top")))
    assert rows == [
        f"[INST] user : What colour is this ? {PICTURE} </s> , "
        "[INST] assistant : {red} {</s>} , "
        "[INST] user : where is it ? </s> , "
        "[INST] assistant : {left} {top} {</s>} ,"
    ]


def test_marked_and_unmarked_renderings_agree(collator: Collator, vicuna: str) -> None:
    plain = vicuna.replace("{%- generation -%}", "").replace("{%- endgeneration -%}", "")
    several = [dialogue("after", answers=("red", "left top")), dialogue("before")]
    assert shown(with_template(collator, plain), *several) == shown(collator, *several)


def test_an_answer_that_also_stands_in_the_question(collator: Collator) -> None:
    asked = Dialogue("d", None, "before", (Turn("k", "red ? red ?", "red"),))
    assert shown(collator, asked) == ["USER : red ? red ? ASSISTANT : {red} {</s>}"]


def test_filling_rows_carry_no_loss(collator: Collator) -> None:
    batch = collator([Item(dialogue(), False)])
    assert (batch["labels"] == -100).all()


def test_too_long_names_the_instruction_that_would_be_cut(
    tiny_processor: Any, pictures: Path
) -> None:
    stops = stop_tokens(tiny_processor.tokenizer)
    long = dialogue(answers=("red", "left top"))
    whole = Collator(tiny_processor, pictures, 256, stops)([Item(long, True)])
    length = whole["input_ids"].shape[1]
    Collator(tiny_processor, pictures, length, stops)([Item(long, True)])
    with pytest.raises(TrainingDataError, match="cut off") as caught:
        Collator(tiny_processor, pictures, length - 1, stops)([Item(long, True)])
    assert caught.value.instruction_keys == ("key1",)


def test_template_without_stop_token_is_refused(collator: Collator, vicuna: str) -> None:
    endless = with_template(collator, vicuna.replace("{{- eos_token -}}", ""))
    with pytest.raises(ConfigurationError, match="never learn to stop"):
        shown(endless, dialogue())


def test_template_that_rewrites_earlier_turns_is_refused(collator: Collator) -> None:
    fickle = "{{ messages | length }} " + UNMARKED
    with pytest.raises(ConfigurationError, match="differently"):
        shown(with_template(collator, fickle), dialogue())


def test_template_that_changes_the_answer_is_refused(collator: Collator) -> None:
    shouting = UNMARKED.replace("part['text']", "part['text'] | upper")
    with pytest.raises(TrainingDataError) as caught:
        shown(with_template(collator, shouting), dialogue())
    assert caught.value.instruction_keys == ("key0",)


def test_blank_answer_is_refused(collator: Collator) -> None:
    with pytest.raises(TrainingDataError) as caught:
        render(collator.processor, dialogue(answers=("red", " \n")), collator.stops)
    assert caught.value.instruction_keys == ("key1",)


def test_unreadable_picture_names_its_instructions(collator: Collator, tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"not a picture")
    broken = Collator(collator.processor, tmp_path, 256, collator.stops)
    with pytest.raises(TrainingDataError, match="cannot read") as caught:
        broken([Item(dialogue(answers=("red", "left")), True)])
    assert caught.value.instruction_keys == ("key0", "key1")


def test_check_names_all_that_is_wrong_at_once(collator: Collator) -> None:
    wrong = [
        dialogue(),
        Dialogue("blank", None, "before", (Turn("a", "who ?", " "), Turn("b", "who ?", "cat"))),
        Dialogue("control", None, "before", (Turn("c", "who is <image> ?", "cat"),)),
        Dialogue("stop", None, "before", (Turn("d", "who ?", "cat</s>dog"),)),
        Dialogue("gone", "no.png", "before", (Turn("e", "who ?", "cat"),)),
    ]
    with pytest.raises(TrainingDataError) as caught:
        check_dialogues(wrong, collator)
    assert caught.value.instruction_keys == ("a", "c", "d", "e")
    check_dialogues([dialogue(), dialogue("after")], collator)


def test_check_finds_answers_past_max_length(collator: Collator) -> None:
    short = Collator(collator.processor, collator.image_root, 50, collator.stops)
    long = dialogue(image=None, answers=("red", " ".join(["left"] * 300), "who"))
    with pytest.raises(TrainingDataError) as caught:
        check_dialogues([dialogue(), long], short)
    assert caught.value.instruction_keys == ("key1", "key2")


def test_stop_tokens_of_the_generation_config_count_too(tiny_processor: Any) -> None:
    class Generation:
        eos_token_id = (2, 1)

    assert stop_tokens(tiny_processor.tokenizer, Generation()) == {"</s>", "<s>"}


def test_a_template_that_moves_pictures_is_told(
    collator: Collator, caplog: pytest.LogCaptureFixture
) -> None:
    check_dialogues([dialogue("after")], collator)
    assert not caplog.records
    first = UNMARKED.replace(
        "{% for part",
        "{% for part in message['content'] if part['type'] == 'image' %}<image> "
        "{% endfor %}{% for part",
        1,
    ).replace("'<image> ' if part['type'] == 'image' else part['text']", "part['text']")
    check_dialogues([dialogue("after")], with_template(collator, first))
    assert "chat_template" in caplog.text


def test_what_is_kept_fits_its_budget() -> None:
    made: list[str] = []

    def make(value: str) -> str:
        made.append(value)
        return value

    kept: Kept[str] = Kept(5)
    for value in ("abc", "defg", "hi", "abc", "defg", "hi"):
        assert kept.get(value, lambda v=value: make(v), len) == value
    assert made == ["abc", "defg", "hi", "defg"]


def test_check_counts_the_tokens_of_pictures(collator: Collator, tmp_path: Path) -> None:
    for number, size in enumerate(((8, 8), (20, 9))):
        Image.new("RGB", size).save(tmp_path / f"{number}.png")
    shown = [dialogue(image=f"{n}.png", answers=("red", " ".join(["left"] * 60))) for n in (0, 1)]
    roomy = Collator(collator.processor, tmp_path, 256, collator.stops)
    length = roomy([Item(shown[0], True)])["input_ids"].shape[1]
    assert picture_tokens(shown, roomy) == 3  # four, one of which is the placeholder
    check_dialogues(shown, Collator(collator.processor, tmp_path, length, collator.stops))
    tight = Collator(collator.processor, tmp_path, length - 1, collator.stops)
    with pytest.raises(TrainingDataError) as caught:
        check_dialogues(shown, tight)
    assert caught.value.instruction_keys == ("key1",)
    # Pictures of one size say nothing about others: nothing is assumed.
    assert picture_tokens(shown[:1], roomy) == 0


VICUNA = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions. "
)


def sentencepiece_like(tiny_processor: Any, text: str) -> Any:
    """A processor whose words carry the space before them, as Llama's do; it knows `text`'s."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = pre_tokenizers.Metaspace(prepend_scheme="first")
    words = [
        piece
        for part in text.replace("</s>", "<image>").split("<image>")
        for scheme in (pieces, pre_tokenizers.Metaspace(prepend_scheme="never"))
        for piece, _ in scheme.pre_tokenize_str(part)
    ]
    known = dict.fromkeys(["<pad>", "<s>", "</s>", "<unk>", *words])
    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(known)}, unk_token="<unk>"))
    raw.pre_tokenizer = pieces
    processor = copy.copy(tiny_processor)
    processor.tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=["<image>"],
    )
    processor.image_token_id = processor.tokenizer.convert_tokens_to_ids("<image>")
    return processor


def test_llavas_own_template_word_for_word(tiny_processor: Any, pictures: Path) -> None:
    """Vicuna v1.1 in LLaVA-1: system sentence, one space, `USER: ... ASSISTANT: ...</s>` without
    anything between turns; the picture in the first; answers and </s> carry loss, all else does not.
    """
    two = dialogue("before", answers=("red", "left top"))
    text = (
        VICUNA + "USER: <image>\nWhat colour is this ? ASSISTANT: red</s>"
        "USER: where is it ? ASSISTANT: left top</s>"
    )
    processor = sentencepiece_like(tiny_processor, text)
    collator = Collator(processor, pictures, 256, stop_tokens(processor.tokenizer))
    assert collator.render(two).text == text
    after = collator.render(dialogue("after")).text
    assert after == VICUNA + "USER: What colour is this ?\n<image> ASSISTANT: red</s>"
    asked = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": "who ?"}]}],
        add_generation_prompt=True,
    )
    assert asked == VICUNA + "USER: who ? ASSISTANT:"

    batch = collator([Item(two, carries_loss=True)])
    names = processor.tokenizer.convert_ids_to_tokens(batch["input_ids"][0].tolist())
    assert "<unk>" not in names
    learned = (batch["labels"][0] != -100).tolist()
    space = chr(0x2581)
    shown = [f"[{name}]" if told else name for name, told in zip(names, learned, strict=True)]
    system = [space + word for word in VICUNA.split()]
    assert shown[: len(system)] == system
    assert "".join(shown[len(system) :]).replace(space, " ") == (
        " USER: <image><image><image><image>\nWhat colour is this ? ASSISTANT:[ red][</s>]"
        "USER: where is it ? ASSISTANT:[ left][ top][</s>]"
    )
