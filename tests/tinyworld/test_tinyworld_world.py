"""The world without torch: facts, scenes, splits, questions, truth, files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rouge_score import rouge_scorer

from comd_tinyworld.characters import (
    COMMON,
    COMMON_SHARE,
    FACTS,
    NAMES,
    characters,
    frequencies,
    sprites,
)
from comd_tinyworld.data import (
    balanced_test,
    llava_record,
    main,
    natural_test,
    seed_set,
    test_record,
    write_all,
)
from comd_tinyworld.questions import (
    ALL_TYPES,
    Question,
    answers,
    class_of,
    is_right,
    questions,
    read_question,
    truth,
)
from comd_tinyworld.roles import HALF, NONSENSE, RIGHT, WRONG, augmenting, judging, score
from comd_tinyworld.scenes import HELD_OUT, SPLITS, Scene, Split, picture, pixels, scene

# pytest would take the function for a test of this module.
test_record.__test__ = False  # type: ignore[attr-defined]


def shown(scene: Scene) -> tuple[int, str, str, str]:
    return scene.character.rank, scene.colour, scene.place, scene.time


def test_characters_are_distinct_and_facts_evenly_dealt() -> None:
    cast = characters()
    assert len({c.name for c in cast}) == len(cast) == len(NAMES) == 96
    for fact, values in FACTS.items():
        for group in (cast[:COMMON], cast[COMMON:]):
            counts = [sum(c.fact(fact) == value for c in group) for value in values]
            assert max(counts) - min(counts) <= 1


def test_sprites_are_symmetric_and_far_apart() -> None:
    drawn = sprites()
    assert (drawn == drawn[:, :, ::-1]).all()
    for a, b in itertools.combinations(drawn, 2):
        assert np.count_nonzero(a != b) >= 18


def test_frequencies_have_a_long_tail() -> None:
    share = frequencies()
    assert share.sum() == pytest.approx(1.0)
    assert share[:COMMON].sum() == pytest.approx(COMMON_SHARE)
    thirds = share[COMMON:].reshape(3, 20).sum(1) / (1 - COMMON_SHARE)
    assert thirds == pytest.approx([0.843, 0.103, 0.054], abs=0.001)
    assert [c.third for c in characters()[COMMON::20]] == ["head", "middle", "tail"]


@given(split=st.sampled_from(SPLITS), index=st.integers(0, 999_999))
def test_a_scene_is_its_number(split: Split, index: int) -> None:
    one, two = scene(split, index), scene(split, index)
    assert one == two
    assert one.split == split
    assert (pixels(one) == pixels(two)).all()


@pytest.mark.parametrize("index", [-1, 1_000_000])
def test_scene_index_out_of_range(index: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        scene("seed", index)


def test_held_out_scenes_are_disjoint_from_all_others() -> None:
    """In what they show, and in the pixels they show it with."""
    cast = characters()
    drawn = {
        split: [scene(split, i, cast[i % len(cast)]) for i in range(96 * 30)] for split in SPLITS
    }
    looks = {split: {shown(s) for s in scenes} for split, scenes in drawn.items()}
    images = {split: {pixels(s).tobytes() for s in drawn[split]} for split in SPLITS}
    for held_out in HELD_OUT:
        assert len(images[held_out]) == 96 * 30
        for other in SPLITS:
            if other != held_out:
                assert not looks[held_out] & looks[other], (held_out, other)
                assert not images[held_out] & images[other], (held_out, other)


def test_pictures_show_the_scene() -> None:
    """Independently of the drawing code: where figure pixels are, and what colour."""
    for i in range(200):
        one = scene("dev", i)
        image = pixels(one).astype(int)
        night = one.time == "night"
        assert (np.median(image.mean(2)) < 100) == night
        background = np.median(image.reshape(-1, 3), axis=0)
        figure = np.abs(image - background).sum(2) > 120
        rows, columns = np.nonzero(figure)
        vertical = "bottom" if rows.mean() > 11.5 else "top"
        horizontal = "right" if columns.mean() > 11.5 else "left"
        assert f"{vertical} {horizontal}" == one.place
        red, green, blue = image[figure].mean(0)
        lead = {"red": red, "green": green, "blue": blue}
        if one.colour in lead:
            assert max(lead, key=lambda name: lead[name]) == one.colour


def test_phrasings_differ_enough_to_pass_the_diversity_check() -> None:
    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    for a, b in itertools.combinations(questions(), 2):
        assert scorer.score(a.text, b.text)["rougeL"].fmeasure < 0.7, (a.text, b.text)


def test_truth_table() -> None:
    one = Scene(0, characters()[40], "pink", "bottom left", "night")
    expected = {
        "who": characters()[40].name,
        "food": characters()[40].food,
        "home": characters()[40].home,
        "job": characters()[40].job,
        "pet": characters()[40].pet,
        "colour": "pink",
        "place": "bottom left",
        "time": "night",
    }
    assert {t: truth(one, t) for t in ALL_TYPES} == expected
    for question_type, answer in expected.items():
        assert is_right(one, question_type, f" {answer.upper()}. ")  # type: ignore[arg-type]
        right = [a for a in answers(question_type) if is_right(one, question_type, a)]  # type: ignore[arg-type]
        assert right == [answer]


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.text)
def test_questions_are_read_back(question: Question) -> None:
    assert read_question(f"  {question.text.lower()} ") == question
    assert question.type in ALL_TYPES
    assert class_of(question.type) == question.kind


def test_other_text_is_no_question() -> None:
    assert read_question("Who is that?") is None


def test_scores() -> None:
    one = Scene(0, characters()[0], "red", "top left", "day")
    assert score(one, "place", "top left") == RIGHT
    assert score(one, "place", "Top right") == HALF
    assert score(one, "place", "bottom right") == WRONG
    assert score(one, "colour", "blue") == WRONG
    assert score(one, "colour", "night") == NONSENSE
    assert score(one, "who", "") == NONSENSE


def test_the_judge_is_taught_the_truth() -> None:
    rng = np.random.default_rng(0)
    for i in range(300):
        one = scene("dev", i)
        question = questions()[i % len(questions())]
        turn = judging(rng, one, question)
        first, second = (line.partition(": ")[2] for line in turn.user.splitlines()[1:])
        own, scores = turn.reply.split("\n")
        assert own == truth(one, question.type)
        assert scores == f"{score(one, question.type, first)} {score(one, question.type, second)}"


def test_the_augmentor_is_taught_another_question_of_the_class() -> None:
    rng = np.random.default_rng(0)
    for parent in questions():
        child = read_question(augmenting(rng, parent).reply)
        assert child is not None
        assert child.kind == parent.kind
        assert child.type != parent.type


def test_seed_set_is_what_a_user_would_have() -> None:
    rows = seed_set(300, 400)
    assert len(rows) == 400
    assert len({row.image for row in rows}) == 300
    assert len({(row.image, row.question) for row in rows}) == 400
    assert {row.scene.split for row in rows} == {"seed"}
    record = llava_record(rows[0], 0)
    assert record["conversations"][0]["value"].startswith("<image>\n")
    assert record["task_type"] == rows[0].question.kind


def test_too_many_questions() -> None:
    with pytest.raises(ValueError, match="too many"):
        seed_set(2, 41)


def test_balanced_test_is_balanced_and_held_out() -> None:
    rows = balanced_test("test-demo")
    records = [test_record(row, i) for i, row in enumerate(rows)]
    assert len(rows) == 60 * 5 * 3 + 180
    assert len({row.image for row in rows}) == len(rows)
    knowledge = [r["groups"] for r in records if r["groups"]["class"] == "knowledge"]
    names = [g["character"] for g in knowledge]
    assert {names.count(name) for name in set(names)} == {15}
    thirds = [g["third"] for g in knowledge]
    assert [thirds.count(t) for t in ("head", "middle", "tail")] == [300, 300, 300]
    assert {r["groups"]["third"] for r in records if r["groups"]["class"] == "look"} == {"none"}
    for row, record in zip(rows, records, strict=True):
        assert record["answers"] == [truth(row.scene, row.question.type)]


def test_tests_come_from_held_out_splits_only() -> None:
    with pytest.raises(ValueError, match="trained on"):
        balanced_test("seed")
    with pytest.raises(ValueError, match="trained on"):
        natural_test("teacher-train")


def test_natural_test_is_distributed_like_the_seed_set() -> None:
    rows = natural_test("dev", 2_000)
    common = sum(row.scene.character.rank < COMMON for row in rows) / len(rows)
    assert common == pytest.approx(COMMON_SHARE, abs=0.03)
    overlap = {r.image for r in rows} & {r.image for r in balanced_test("dev")}
    assert not overlap


def test_files_are_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_all(
            tmp_path / name,
            seed=seed_set(40, 60),
            test=balanced_test("dev", each=1, look=6),
            natural=natural_test("dev", 20),
        )
    one, two = tmp_path / "one", tmp_path / "two"
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(two) for p in two.rglob("*") if p.is_file())
    assert len(files) == 3 + 40 + 306 + 20
    for file in files:
        assert (one / file).read_bytes() == (two / file).read_bytes()


def test_command_line(tmp_path: Path) -> None:
    sizes = "--images 10 --questions 12 --each 1 --look 3"
    main(["--out", str(tmp_path), *sizes.split()])
    records = json.loads((tmp_path / "seed.json").read_text())
    assert len(records) == 12
    lines = (tmp_path / "test.jsonl").read_text().splitlines()
    assert len(lines) == 303
    for record in (*records, *map(json.loads, lines)):
        with Image.open(tmp_path / "images" / record["image"]) as image:
            assert image.size == (24, 24)
    first = seed_set(10, 12)[0]
    with Image.open(tmp_path / "images" / first.image) as image:
        assert (np.asarray(image) == np.asarray(picture(first.scene))).all()
