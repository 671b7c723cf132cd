"""Real trainings by every objective: a teacher of another width and with other picture tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

from comd_training.collate import Collator, Item
from comd_training.examples import Dialogue, Turn
from comd_training.failures import ConfigurationError
from comd_training.masking import stop_tokens
from comd_training.metrics import Metric
from comd_training.objectives import OBJECTIVES
from comd_training.spec import TrainingSpec
from comd_training.stored_logits import StoredLogits, write_stored_logits
from comd_training.supervise import TrainingFailed, TrainingResult, run_training
from comd_training.teaching import StoredCollator, TaughtCollator, learned, teacher_collator
from comd_training.top_logits import TopLogits
from comd_training.vocabulary import of_model, read_vocabulary, require_same

SpecOf = Callable[..., TrainingSpec]
Change = Callable[[Path], Path]

pytestmark = pytest.mark.timeout(280)


def train(
    spec: TrainingSpec, on_metric: Callable[[Metric], None] = lambda _: None, **how: Any
) -> tuple[TrainingResult, list[Metric]]:
    metrics: list[Metric] = []

    def record(metric: Metric) -> None:
        metrics.append(metric)
        on_metric(metric)

    return run_training(spec, on_metric=record, on_alive=lambda: None, **how), metrics


def mean(metrics: list[Metric], name: str) -> float:
    return sum(metric.extra[name] for metric in metrics) / len(metrics)


@pytest.mark.parametrize(
    "objective",
    [
        {"name": "logit_kd", "cross_entropy_weight": 0},
        {"name": "token_kd", "distance": "mse"},
        {"name": "joint", "divergence": "js", "temperature": 2, "cross_entropy_weight": 0},
    ],
    ids=lambda told: told["name"],
)
def test_a_student_comes_nearer_to_its_teacher(
    spec_of: SpecOf, tiny_model: Path, tiny_teacher: Path, objective: dict[str, Any]
) -> None:
    spec = spec_of(teacher=tiny_teacher, objective=objective, epochs=10, learning_rate=1e-2)
    result, metrics = train(spec)
    first, last = metrics[:3], metrics[-3:]
    assert sum(m.loss for m in last) < sum(m.loss for m in first)
    for name in {"logit_kd", "token_kd"} & set(metrics[0].extra):
        assert mean(last, name) < 0.9 * mean(first, name), name
    # What was trained beside the student is none of it.
    before, after = load_file(tiny_model / "model.safetensors"), tensors(result)
    assert before.keys() == after.keys()
    assert {name: value.shape for name, value in before.items()} == {
        name: value.shape for name, value in after.items()
    }
    AutoModelForImageTextToText.from_pretrained(result.checkpoint)
    # The teacher is as it was.
    assert "Traceback" not in (spec.output / "train.log").read_text()


def tensors(result: TrainingResult) -> dict[str, torch.Tensor]:
    return load_file(result.checkpoint / "model.safetensors")


def test_every_objective_is_tried_here() -> None:
    assert set(OBJECTIVES) == {"sft", "logit_kd", "token_kd", "joint"}


def kill_and_go_on(spec_of: SpecOf, **asked: Any) -> None:
    whole = train(spec_of("whole", **asked))
    spec = spec_of("cut", **asked).model_copy(update={"save_every_steps": 5})

    def kill(metric: Metric) -> None:
        if metric.step == 7:
            ranks = sorted(spec.output.glob(".pulse-*"))
            psutil.Process(int(ranks[-1].read_text().split()[0])).kill()

    with pytest.raises(TrainingFailed):
        train(spec, kill)
    assert list((spec.output / "resume").iterdir())
    resumed = train(spec)
    told = [(m.step, m.loss, m.grad_norm, m.extra) for m in resumed[1]]
    assert told == [(m.step, m.loss, m.grad_norm, m.extra) for m in whole[1]]
    assert resumed[0].weights_sha256 == whole[0].weights_sha256


def test_a_killed_training_has_its_bridge_back_bit_for_bit(
    spec_of: SpecOf, tiny_teacher: Path
) -> None:
    kill_and_go_on(spec_of, teacher=tiny_teacher, objective="joint", epochs=5)


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("zero_stage", "processes"), [(1, 2), (2, 2), (3, 1), (3, 2)])
def test_a_bridge_goes_on_in_every_stage(
    spec_of: SpecOf, tiny_teacher: Path, zero_stage: int, processes: int
) -> None:
    kill_and_go_on(
        spec_of,
        teacher=tiny_teacher,
        objective="joint",
        epochs=5,
        zero_stage=zero_stage,
        processes=processes,
        micro_batch_size=2,
    )


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("objective", ["logit_kd", "token_kd", "joint"])
@pytest.mark.parametrize("zero_stage", [2, 3])
def test_ranks_and_micro_batches_do_not_change_what_is_learned(
    spec_of: SpecOf, tiny_teacher: Path, objective: str, zero_stage: int
) -> None:
    asked = {"teacher": tiny_teacher, "objective": objective, "zero_stage": zero_stage, "epochs": 3}
    whole = train(spec_of("whole", **asked))[1]
    cut = train(spec_of("cut", processes=2, micro_batch_size=2, **asked))[1]
    assert [m.loss for m in cut] == pytest.approx([m.loss for m in whole], rel=1e-4)
    for name in whole[0].extra:
        assert [m.extra[name] for m in cut] == pytest.approx(
            [m.extra[name] for m in whole], rel=1e-4
        )


@pytest.mark.full
@pytest.mark.parametrize("zero_stage", [2, 3])
def test_bf16_with_checkpointed_gradients(
    spec_of: SpecOf, tiny_teacher: Path, zero_stage: int
) -> None:
    spec = spec_of(
        teacher=tiny_teacher,
        objective="joint",
        precision="bf16",
        zero_stage=zero_stage,
        gradient_checkpointing=True,
        epochs=6,
    )
    result, metrics = train(spec)
    assert mean(metrics[-3:], "token_kd") < mean(metrics[:3], "token_kd")
    assert not [name for name in tensors(result) if "bridge" in name]


@pytest.mark.parametrize("objective", ["logit_kd", "joint"])
def test_packed_rows_and_padded_ones_teach_the_same(
    spec_of: SpecOf, tiny_teacher: Path, objective: str
) -> None:
    """The student's row is one, the teacher's are several."""
    told = {}
    for batching in ("padded", "packed"):
        asked = {"batching": batching, "epochs": 2, "micro_batch_size": 4}
        spec = spec_of(batching, teacher=tiny_teacher, objective=objective, **asked)
        told[batching] = train(spec)[1]
        assert "not packed" not in (spec.output / "train.log").read_text()
    packed, padded = told["packed"], told["padded"]
    assert [m.loss for m in packed] == pytest.approx([m.loss for m in padded], rel=1e-4)
    assert packed[0].tokens == padded[0].tokens
    for name in packed[0].extra:
        assert [m.extra[name] for m in packed] == pytest.approx(
            [m.extra[name] for m in padded], rel=1e-4
        )


def test_another_vocabulary_ends_the_training_before_its_first_step(
    spec_of: SpecOf, tiny_teacher: Path, other_words: Change
) -> None:
    spec = spec_of(teacher=other_words(tiny_teacher), objective="logit_kd")
    with pytest.raises(TrainingFailed, match="different vocabularies") as failed:
        train(spec)
    assert failed.value.kind == "configuration"
    for named in (spec.model, str(spec.teacher and spec.teacher.model), "'red' is token"):
        assert named in failed.value.message
    assert not (spec.output / "metrics.jsonl").exists()


@pytest.fixture
def other_words(tmp_path: Path) -> Change:
    """A copy of a model whose tokenizer has two words the other way round."""

    def change(model: Path) -> Path:
        folder = tmp_path / "other-words"
        folder.mkdir()
        for file in model.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        path = folder / "tokenizer.json"
        told = json.loads(path.read_text())
        words = told["model"]["vocab"]
        words["red"], words["green"] = words["green"], words["red"]
        path.write_text(json.dumps(told))
        return folder

    return change


def test_vocabularies_are_compared_without_loading_anything(
    tiny_model: Path, tiny_teacher: Path, other_words: Change, tmp_path: Path
) -> None:
    ours, theirs = read_vocabulary(tiny_model), read_vocabulary(tiny_teacher)
    assert ours is not None
    assert theirs is not None
    require_same(ours, theirs)
    assert ours.digest() == theirs.digest()
    tokenizer = AutoProcessor.from_pretrained(tiny_model).tokenizer
    model = AutoModelForImageTextToText.from_pretrained(tiny_model)
    assert of_model(str(tiny_model), tokenizer, model) == ours
    changed = read_vocabulary(other_words(tiny_teacher))
    assert changed is not None
    with pytest.raises(
        ConfigurationError, match=r"'red' is token \d+ to the student and token \d+"
    ):
        require_same(ours, changed)
    config = tmp_path / "other-words" / "config.json"
    told = json.loads(config.read_text())
    told["text_config"]["vocab_size"] = 10
    config.write_text(json.dumps(told))
    (tmp_path / "other-words" / "tokenizer.json").write_bytes(
        (tiny_teacher / "tokenizer.json").read_bytes()
    )
    narrow = read_vocabulary(tmp_path / "other-words")
    assert narrow is not None
    with pytest.raises(ConfigurationError, match="10 logits for"):
        require_same(ours, narrow)
    assert read_vocabulary(tmp_path) is None


def collator_of(model: Path, pictures: Path) -> Collator:
    processor = AutoProcessor.from_pretrained(model)
    return Collator(processor, pictures, 256, stop_tokens(processor.tokenizer))


@pytest.fixture
def both(tiny_model: Path, tiny_teacher: Path, pictures: Path) -> TaughtCollator:
    student = collator_of(tiny_model, pictures)
    model = AutoModelForImageTextToText.from_pretrained(tiny_teacher)
    teacher = teacher_collator(student, model, AutoProcessor.from_pretrained(tiny_teacher))
    return TaughtCollator(student, teacher)


def items(dialogues: list[Dialogue]) -> list[Item]:
    return [Item(each, carries_loss=number != 1) for number, each in enumerate(dialogues)]


def test_the_teacher_reads_the_same_answers_at_other_places(
    both: TaughtCollator, colour_dialogues: list[Dialogue]
) -> None:
    given = both(items(colour_dialogues[:4]))
    teacher = given["teacher"]
    # Nine picture tokens where the student has four.
    assert teacher["input_ids"].shape[1] - given["input_ids"].shape[1] == 5
    assert teacher["pixel_values"].shape != given["pixel_values"].shape
    for ours, theirs in zip(given["labels"], teacher["labels"], strict=True):
        assert learned(ours) == learned(theirs)
    assert [len(learned(row)) for row in given["labels"]] == [5, 0, 5, 5]


def test_templates_that_set_answers_differently_are_refused(
    both: TaughtCollator, colour_dialogues: list[Dialogue]
) -> None:
    """Without the space before an answer, this teacher's tokenizer joins it to what is there."""
    template = both.teacher.processor.chat_template
    assert "'ASSISTANT: '" in template
    both.teacher.processor.chat_template = template.replace("'ASSISTANT: '", "'ASSISTANT'")
    with pytest.raises(ConfigurationError, match="teacher_chat_template") as refused:
        both(items(colour_dialogues[:2]))
    assert str(refused.value).startswith("dialogue d0: the student learns the tokens")


def stored_file(
    both: TaughtCollator, teacher: Path, dialogues: list[Dialogue], path: Path, k: int
) -> Path:
    """The teacher's top k logits in the training's own contexts, answer by answer."""
    model = AutoModelForImageTextToText.from_pretrained(teacher).eval()
    rows = []
    for dialogue in dialogues:
        given = both.teacher([Item(dialogue, carries_loss=True)])
        labels = given.pop("labels")[0, 1:]
        with torch.no_grad():
            log_p = model(**given).logits[0, :-1].log_softmax(dim=-1)
        start = 0
        where = torch.where(labels != -100)[0]
        for turn in dialogue.turns:
            length = len(turn.answer.split()) + 1
            at = where[start : start + length]
            start += length
            values, ids = log_p[at].topk(k)
            rest = (1 - values.exp().sum(dim=-1, keepdim=True)).clamp(min=0).log()
            kept = TopLogits(
                labels[at].int().numpy(),
                ids.int().numpy(),
                torch.cat([values, rest], dim=-1).half().numpy(),
            )
            rows.append((turn.instruction_key, kept.to_bytes()))
        assert start == len(where)
    known = read_vocabulary(teacher)
    assert known is not None
    write_stored_logits(path, rows, vocabulary=known.digest(), teacher=str(teacher))
    return path


def test_what_was_stored_teaches_as_the_teacher_in_the_step(
    spec_of: SpecOf,
    both: TaughtCollator,
    tiny_teacher: Path,
    colour_dialogues: list[Dialogue],
    tmp_path: Path,
) -> None:
    known = read_vocabulary(tiny_teacher)
    assert known is not None
    path = stored_file(
        both, tiny_teacher, colour_dialogues, tmp_path / "logits.arrow", known.tokens
    )
    asked = {"epochs": 3, "learning_rate": 1e-2}
    live = train(spec_of("live", teacher=tiny_teacher, objective="logit_kd", **asked))[1]
    told = {"name": "logit_kd", "teacher": "stored", "top_k": known.tokens}
    kept = train(spec_of("kept", teacher_logits=path, objective=told, **asked))[1]
    assert [m.loss for m in kept] == pytest.approx([m.loss for m in live], rel=5e-3)
    # Fewer are a lower bound, and teach as well.
    few = train(spec_of("few", teacher_logits=path, objective=told | {"top_k": 4}, **asked))[1]
    assert few[0].extra["logit_kd"] < kept[0].extra["logit_kd"]
    assert few[-1].extra["logit_kd"] < few[0].extra["logit_kd"]


def test_stored_logits_must_be_there_and_be_for_these_tokens(
    spec_of: SpecOf,
    both: TaughtCollator,
    tiny_teacher: Path,
    colour_dialogues: list[Dialogue],
    tmp_path: Path,
) -> None:
    told = {"name": "logit_kd", "teacher": "stored", "top_k": 4}
    path = stored_file(both, tiny_teacher, colour_dialogues[:-1], tmp_path / "some.arrow", 4)
    with pytest.raises(TrainingFailed, match="have no stored logits: k20-0, k20-1") as lacking:
        train(spec_of("lacking", teacher_logits=path, objective=told))
    assert lacking.value.instruction_keys == ("k20-0", "k20-1")

    other = tmp_path / "other.arrow"
    write_stored_logits(other, [], vocabulary="0" * 64, teacher="another teacher")
    with pytest.raises(TrainingFailed, match="vocabulary of another teacher") as foreign:
        train(spec_of("foreign", teacher_logits=other, objective=told))
    assert foreign.value.kind == "configuration"

    collator = StoredCollator(both.student, StoredLogits.open(path, 4))
    changed = Dialogue("d", "0.png", "before", (Turn("k0-0", "What colour is this ?", "blue"),))
    with pytest.raises(ConfigurationError, match="instruction k0-0: the student"):
        collator([Item(changed, carries_loss=True)])
    filling = collator([Item(colour_dialogues[0], carries_loss=False)])["teacher"]
    assert [tuple(value.shape) for value in filling.values()] == [(0, 1), (0, 2)]


def test_a_spec_without_its_teacher_is_refused(spec_of: SpecOf) -> None:
    with pytest.raises(ValueError, match="none is named"):
        spec_of(objective="joint")
    with pytest.raises(ValueError, match="no file is named"):
        spec_of(objective={"name": "logit_kd", "teacher": "stored"})


def test_the_teacher_decides_what_the_training_is(spec_of: SpecOf, tiny_teacher: Path) -> None:
    asked = spec_of("one", teacher=tiny_teacher, objective="joint")
    assert spec_of("two", teacher=tiny_teacher, objective="joint").fingerprint() == (
        asked.fingerprint()
    )
    changed = {"name": "joint", "temperature": 2}
    assert spec_of("two", teacher=tiny_teacher, objective=changed).fingerprint() != (
        asked.fingerprint()
    )
