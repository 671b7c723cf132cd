"""The models: vocabulary, template, masks, training that learns, and the shipped weights."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Literal, cast

import pytest
from jinja2 import UndefinedError

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import LlavaForConditionalGeneration, LlavaProcessor  # noqa: E402

from comd_tinyworld import weights_path  # noqa: E402
from comd_tinyworld.card import QUALITY_FILE  # noqa: E402
from comd_tinyworld.characters import characters  # noqa: E402
from comd_tinyworld.curriculum import (  # noqa: E402
    student_examples,
    student_scenes,
    teacher_examples,
    teacher_scenes,
)
from comd_tinyworld.language import (  # noqa: E402
    IGNORED,
    Recipe,
    dialogue_loss,
    encode,
    train_language,
)
from comd_tinyworld.measure import (  # noqa: E402
    Prompted,
    answer_quality,
    augmentor_quality,
    generate,
    judge_quality,
)
from comd_tinyworld.models import build_llava, build_tower  # noqa: E402
from comd_tinyworld.processor import build_processor  # noqa: E402
from comd_tinyworld.prompts import ROLES, prompt_path, render  # noqa: E402
from comd_tinyworld.questions import ALL_TYPES, answers, questions  # noqa: E402
from comd_tinyworld.scenes import picture, scene  # noqa: E402
from comd_tinyworld.tower import features, train_tower  # noqa: E402

Shipped = tuple[LlavaForConditionalGeneration, LlavaProcessor]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def processor() -> LlavaProcessor:
    return build_processor()


def shipped(name: Literal["teacher", "student"]) -> Shipped:
    path = weights_path(name)
    model = LlavaForConditionalGeneration.from_pretrained(path).eval()
    return model, cast("LlavaProcessor", LlavaProcessor.from_pretrained(path))


@pytest.fixture(scope="module")
def teacher() -> Shipped:
    return shipped("teacher")


@pytest.fixture(scope="module")
def student() -> Shipped:
    return shipped("student")


def test_prompts_name_their_variables() -> None:
    for role in ROLES:
        assert "{{ instruction }}" in prompt_path(role).read_text()
    with pytest.raises(UndefinedError, match="first"):
        render("assessor", instruction="Who is this?", second="Olaf")


def test_vocabulary_covers_every_word(processor: LlavaProcessor) -> None:
    """No unknown token in any question, answer, or reply, under any prompt."""
    texts = [q.text for q in questions()] + [a for t in ALL_TYPES for a in answers(t)]
    streams = (teacher_examples(teacher_scenes()[:96]), student_examples(student_scenes()[:36]))
    for stream in streams:
        for example in itertools.islice(stream, 2_000):
            texts += [text for turn in example.turns for text in (turn.user, turn.reply)]
    ids = processor.tokenizer(texts, add_special_tokens=False)["input_ids"]
    unknown = processor.tokenizer.unk_token_id
    assert not [text for text, row in zip(texts, ids, strict=True) if unknown in row]


def test_decoding_restores_the_text(processor: LlavaProcessor) -> None:
    for text in ("Olaf\n9 3", *(q.text for q in questions())):
        ids = processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert processor.tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("image_first", [True, False])
def test_training_tokens_are_the_processors(processor: LlavaProcessor, image_first: bool) -> None:
    """The short cut that training takes around pictures gives the tokens and mask of generation."""
    scenes = teacher_scenes()[:96]
    stream = (e for e in teacher_examples(scenes) if e.image_first == image_first)
    for example in itertools.islice(stream, 20):
        messages = example.messages()
        for part in messages[0]["content"]:
            if part["type"] == "image":
                part["image"] = picture(scenes[example.scene])
        expected = processor.apply_chat_template(
            messages, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
        )
        [encoded] = encode(processor, [example])
        said = [
            i if m else IGNORED
            for i, m in zip(expected["input_ids"][0], expected["assistant_masks"][0], strict=True)
        ]
        assert encoded.input_ids == list(expected["input_ids"][0])
        assert encoded.labels == said
        replies = [turn.reply for turn in example.turns]
        taught = processor.tokenizer.decode([i for i in encoded.labels if i != IGNORED])
        assert [r.strip() for r in taught.split("</s>")[:-1]] == replies


def test_the_template_speaks_vicuna(processor: LlavaProcessor) -> None:
    image, text = {"type": "image"}, {"type": "text", "text": "Who is this?"}
    more = [{"role": "assistant", "content": "Olaf"}, {"role": "user", "content": "And now?"}]
    first = processor.apply_chat_template(
        [{"role": "user", "content": [image, text]}, *more], add_generation_prompt=True
    )
    assert first == "USER: <image>\nWho is this? ASSISTANT: Olaf</s>USER: And now? ASSISTANT:"
    after = processor.apply_chat_template([{"role": "user", "content": [text, image]}])
    assert after == "USER: Who is this?\n<image> "


def test_the_training_loss_is_the_models(processor: LlavaProcessor) -> None:
    """Cached features and selected positions give the loss of an ordinary forward pass."""
    scenes = student_scenes()[:36]
    tower = build_tower().eval()
    model = build_llava("student", tower, features(tower, scenes)).eval()
    batch = encode(processor, list(itertools.islice(student_examples(scenes), 6)))
    ours = dialogue_loss(model, features(tower, scenes), batch, processor.tokenizer.pad_token_id)
    total, count = 0.0, 0
    for e in batch:
        labels = torch.tensor([e.labels])
        tokens = int((labels[:, 1:] != IGNORED).sum())
        pixel_values = processor.image_processor(picture(scenes[e.scene]), return_tensors="pt")
        out = model(input_ids=torch.tensor([e.input_ids]), labels=labels, **pixel_values)
        total, count = total + out.loss.item() * tokens, count + tokens
    assert ours.item() == pytest.approx(total / count, rel=1e-4)


def test_training_learns(processor: LlavaProcessor) -> None:
    tower, losses = train_tower(steps=40, scenes=512)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    scenes = student_scenes()[:72]
    model = build_llava("student", tower, features(tower, scenes))
    frozen = {k: v.clone() for k, v in model.model.vision_tower.state_dict().items()}
    seen, stream = features(tower, scenes), student_examples(scenes)
    losses = train_language(model, processor, seen, stream, Recipe(25, 16, 3e-3))
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert all(torch.equal(v, frozen[k]) for k, v in model.model.vision_tower.state_dict().items())


def test_shipped_processors_are_the_ones_of_this_world(
    processor: LlavaProcessor, teacher: Shipped, student: Shipped
) -> None:
    for _, theirs in (teacher, student):
        assert theirs.tokenizer.get_vocab() == processor.tokenizer.get_vocab()
        assert theirs.chat_template == processor.chat_template
        assert theirs.image_processor.to_dict() == processor.image_processor.to_dict()


def test_teacher_and_student_share_the_tower(teacher: Shipped, student: Shipped) -> None:
    theirs = student[0].model.vision_tower.state_dict()
    for key, value in teacher[0].model.vision_tower.state_dict().items():
        assert torch.equal(value, theirs[key]), key


def test_the_teacher_answers(teacher: Shipped) -> None:
    quality = answer_quality(*teacher, characters()[::4], "test-demo", 0.5, each=1)
    assert quality["knowledge"] > 0.9
    assert quality["look"] > 0.9


def test_the_teacher_answers_in_later_turns(teacher: Shipped) -> None:
    model, processor = teacher
    one = scene("dev", 7)
    image, content = picture(one), [{"type": "text", "text": "Who is this?"}]
    talk = [
        {"role": "user", "content": [{"type": "image", "image": image}, *content]},
        {"role": "assistant", "content": [{"type": "text", "text": one.character.name}]},
        {"role": "user", "content": [{"type": "text", "text": "What colour is the character?"}]},
    ]
    inputs = processor.apply_chat_template(
        talk, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
    )
    out = model.generate(**inputs, max_new_tokens=8, do_sample=False)
    reply = processor.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert reply == one.colour


def test_the_teacher_judges(teacher: Shipped) -> None:
    quality = judge_quality(*teacher, "test-demo", 40)
    assert quality["readable"] > 0.95
    assert quality["right_verdicts"] > 0.9


def test_the_teacher_augments(teacher: Shipped) -> None:
    quality = augmentor_quality(*teacher, "test-demo", 60)
    assert quality["same_class"] > 0.9
    assert quality["other_type"] > 0.8


def test_the_student_has_never_met_the_tail(student: Shipped) -> None:
    common = answer_quality(*student, characters()[:36:2], "test-demo", 0.0, each=1)
    tail = answer_quality(*student, characters()[36::4], "test-demo", 0.0, each=1)
    assert common["knowledge"] > 0.7
    assert tail["knowledge"] < 0.3
    assert tail["who"] == 0.0
    assert tail["look"] > 0.6


def test_left_padding_does_not_change_greedy_answers(student: Shipped) -> None:
    model, processor = student
    prompts = [Prompted(scene("dev", i), q.text) for i, q in enumerate(questions()[::4])]
    together = list(generate(model, processor, prompts, 0.0))
    alone = [next(generate(model, processor, [p], 0.0)) for p in prompts]
    assert together == alone


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_configurations_name_no_path_of_the_machine_they_were_made_on(
    name: Literal["teacher", "student"],
) -> None:
    config = json.loads((weights_path(name) / "config.json").read_text())
    assert not config["vision_config"].get("_name_or_path")
    assert not config.get("_name_or_path")


@pytest.mark.parametrize("name", ["teacher", "student"])
def test_cards_tell_the_measured_numbers(name: Literal["teacher", "student"]) -> None:
    directory: Path = weights_path(name)
    measured = json.loads((directory / QUALITY_FILE).read_text())
    card = (directory / "README.md").read_text()
    expected = {"answers", "judge", "augmentor"}
    assert set(measured) == (
        expected if name == "teacher" else {"common characters", "tail characters"}
    )
    numbers = [value for quality in measured.values() for value in quality.values()]
    assert re.findall(r"\| (\d\.\d{3}) \|", card) == [f"{value:.3f}" for value in numbers]
