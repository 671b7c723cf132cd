"""Instructions without an image: near ones are found, and scored exactly."""

from __future__ import annotations

import random

import pytest

from comd_platform.method.diversity import accept
from comd_platform.method.rouge import rouge_l
from comd_platform.method.text_only import Nearest, TextOnlyIndex


def _variants(count: int) -> list[tuple[str, str]]:
    """Pairs of texts at and above the threshold: some words of the first are replaced."""
    generator = random.Random(5)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < count:
        length = generator.randint(6, 24)
        words = [f"w{generator.randrange(3000)}" for _ in range(length)]
        changed = [
            f"v{generator.randrange(3000)}" if generator.random() < 0.25 else w for w in words
        ]
        if rouge_l(" ".join(words), " ".join(changed)) >= 0.7:
            pairs.append((" ".join(words), " ".join(changed)))
    return pairs


def test_lsh_finds_the_near_ones_and_gives_the_exact_score() -> None:
    pairs = _variants(400)
    index = TextOnlyIndex((str(number), first) for number, (first, _) in enumerate(pairs))
    missed = 0
    for number, (first, second) in enumerate(pairs):
        nearest = index.nearest(second)
        missed += nearest.rouge_l < 0.7
        if nearest.id == str(number):
            assert nearest.rouge_l == rouge_l(first, second)
    assert missed <= 2


def test_text_only_acceptance_is_that_of_the_exact_index() -> None:
    texts = [text for pair in _variants(60) for text in pair] + [
        "\u4f60\u597d\u5417",
        "\u4f60\u597d\u5417",
        "",
    ]
    entries = [(str(number), entry) for number, entry in enumerate(texts)]
    exact = [verdict.accepted for verdict in accept(entries, [])]
    index = TextOnlyIndex()
    near = [verdict.accepted for verdict in index.accept(entries)]
    assert near == exact
    assert exact.count(False) > 50
    assert len(index) == exact.count(True)


def test_nothing_is_near_in_an_empty_index() -> None:
    assert TextOnlyIndex().nearest("anything") == Nearest(0.0, None)


def test_the_threshold_must_be_one() -> None:
    with pytest.raises(ValueError, match="threshold"):
        TextOnlyIndex().accept([("a", "x y")], threshold=70)
