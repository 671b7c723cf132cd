"""Accepting new instructions by ROUGE-L, beside rouge_score and the kernel underneath.

The paper's last iteration: 110,000 new instructions against a cache pool of 504,000. Those of a picture
are compared with all that the picture has, in order; accepted ones join. All contenders look at the same
pairs, and comd must decide as rouge_score does.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from common import Row, in_turns, main, scaled, timed
from growth import Curve
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist
from rouge_score.rouge_scorer import RougeScorer

from comd_platform.method.diversity import (
    DEFAULT_THRESHOLD,
    Characters,
    DiversityIndex,
    Verdict,
    accept,
)

POOL, NEW = 504_000, 110_000
HELD = (6, 200)  # instructions that a picture has
SAMPLE = 10_000  # pairs that rouge_score is timed on
SIZES = (10_000, 100_000, 1_000_000)
WORDS = [
    f"{head}{middle}{tail}"
    for head in "bcdfghklmnprstvw"
    for middle in ("a", "ee", "i", "o", "u")
    for tail in ("ck", "l", "mp", "n", "rd", "st", "ng", "t", "x", "zz")
]


@dataclass(frozen=True, slots=True)
class Picture:
    """The (id, text) pairs of one picture."""

    existing: list[tuple[str, str]]
    candidates: list[tuple[str, str]]


def measure(scale: float, rounds: int) -> list[Row]:
    return [_row(scaled(POOL, scale), scaled(NEW, scale), held, rounds) for held in HELD]


def grow(scale: float) -> list[Curve]:
    sizes = [scaled(size, scale) for size in SIZES]
    curves = []
    for held in HELD:
        seconds = []
        for size in sizes:
            pictures = _pictures(size, round(size * NEW / POOL), held)
            seconds.append(timed(lambda pictures=pictures: _ours(pictures)))
        curves.append(
            Curve("Import and diversity", f"diversity, {held} a picture", "rows", sizes, seconds)
        )
    return curves


def _row(pool: int, new: int, held: int, rounds: int) -> Row:
    pictures = _pictures(pool, new, held)
    verdicts: list[list[Verdict]] = []

    def ours() -> None:
        verdicts[:] = _ours(pictures)

    ours()
    pairs = sum(map(_compared, pictures, verdicts))
    few = 0  # the first pictures, until there are enough pairs
    sampled = 0
    while few < len(pictures) and sampled < SAMPLE:
        sampled += _compared(pictures[few], verdicts[few])
        few += 1
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    decisions: list[list[bool]] = []

    def theirs() -> None:
        decisions[:] = [_theirs(picture, scorer) for picture in pictures[:few]]

    ready = [_encoded(*each) for each in zip(pictures, verdicts, strict=True)]

    def by_hand() -> None:
        for each in zip(pictures, verdicts, strict=True):
            _one_by_one(*_encoded(*each))

    seconds = in_turns(
        {
            "comd": lambda: timed(ours),
            "rouge_score": lambda: timed(theirs) * pairs / sampled,
            "comd, the tokens alone": lambda: timed(lambda: _cut(pictures)),
            "rapidfuzz by hand": lambda: timed(by_hand),
            "rapidfuzz kernel alone": lambda: timed(lambda: [_matrix(*each) for each in ready]),
        },
        rounds,
    )
    if [[each.accepted for each in found] for found in verdicts[:few]] != decisions:
        raise AssertionError("comd and rouge_score decide differently")
    accepted = sum(each.accepted for found in verdicts for each in found)
    return Row(
        what=f"ROUGE-L diversity, {held} instructions a picture",
        amount=pairs,
        unit="pairs",
        ours="comd",
        seconds=seconds,
        note=f"{new:,} new instructions against a pool of {pool:,} on {len(pictures):,} pictures,"
        f" {accepted:,} accepted, {pairs / 1e6:.2f} million pairs. rouge_score is timed on"
        f" {sampled:,} of them and its time scaled; there every decision is the same. A text is compared"
        f" {2 * pairs / (pool + new):.1f} times on average, and cut into tokens once. By hand: tokens by"
        " rouge_score's regular expression, and the kernel for one new instruction after the other. The"
        " kernel alone gets strings of one character a token, all of a picture's new instructions at"
        " once, and gives back bare lengths.",
    )


def _ours(pictures: Sequence[Picture]) -> list[list[Verdict]]:
    """As the accept phase does it: a picture after the other, with shared characters."""
    characters = Characters()
    return [accept(each.candidates, DiversityIndex(each.existing, characters)) for each in pictures]


def _cut(pictures: Sequence[Picture]) -> None:
    """Every text into its tokens, a character each, and nothing else."""
    encode = Characters().encode
    for each in pictures:
        for _, text in (*each.existing, *each.candidates):
            encode(text)


def _theirs(picture: Picture, scorer: RougeScorer) -> list[bool]:
    held = [text for _, text in picture.existing]
    verdicts = []
    for _, candidate in picture.candidates:
        nearest = max(scorer.score(text, candidate)["rougeL"].fmeasure for text in held)
        verdicts.append(nearest < DEFAULT_THRESHOLD)
        if verdicts[-1]:
            held.append(candidate)
    return verdicts


def _one_by_one(held: list[str], new: list[tuple[str, bool]]) -> None:
    for query, accepted in new:
        cdist([query], held, scorer=LCSseq.similarity, dtype=np.int32)
        if accepted:
            held.append(query)


def _matrix(held: list[str], new: list[tuple[str, bool]]) -> None:
    queries = [query for query, _ in new]
    cdist(queries, held + queries, scorer=LCSseq.similarity, dtype=np.int32)


def _encoded(
    picture: Picture, verdicts: Sequence[Verdict]
) -> tuple[list[str], list[tuple[str, bool]]]:
    """What the picture has, and its new ones with their fate: a character for every distinct token."""
    characters: dict[str, str] = {}

    def encode(text: str) -> str:
        words = re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
        return "".join(characters.setdefault(word, chr(len(characters))) for word in words)

    held = [encode(text) for _, text in picture.existing]
    fates = [verdict.accepted for verdict in verdicts]
    return held, [
        (encode(text), fate) for (_, text), fate in zip(picture.candidates, fates, strict=True)
    ]


def _compared(picture: Picture, verdicts: Sequence[Verdict]) -> int:
    """Pairs: each new one with what the picture had, and with those accepted before it."""
    pairs, held = 0, len(picture.existing)
    for verdict in verdicts:
        pairs += held
        held += verdict.accepted
    return pairs


def _pictures(pool: int, new: int, held: int) -> list[Picture]:
    """Questions of 6 to 22 words; half of the new ones are old ones with some words exchanged."""
    chance = random.Random(held)
    count = max(1, pool // held)
    made = []
    for number in range(count):
        old = [_sentence(chance) for _ in range(held)]
        share = new * (number + 1) // count - new * number // count
        young = [
            _varied(chance, chance.choice(old)) if position % 2 else _sentence(chance)
            for position in range(share)
        ]
        made.append(
            Picture(
                [(f"e{place}", " ".join(words) + "?") for place, words in enumerate(old)],
                [(f"c{place}", " ".join(words) + "?") for place, words in enumerate(young)],
            )
        )
    return made


def _sentence(chance: random.Random) -> list[str]:
    return chance.choices(WORDS, k=chance.randint(6, 22))


def _varied(chance: random.Random, words: list[str]) -> list[str]:
    exchanged = chance.uniform(0, 0.6)
    return [chance.choice(WORDS) if chance.random() < exchanged else word for word in words]


if __name__ == "__main__":
    main(measure, grow)
