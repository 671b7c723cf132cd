"""Accepting new instructions by ROUGE-L, beside rouge_score and the kernel underneath.

New instructions of a picture are compared with all that the picture has, in order; accepted ones
join. All three look at the same pairs, and comd must decide as rouge_score does.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from common import Row, in_turns, main, scaled, timed
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist
from rouge_score.rouge_scorer import RougeScorer

from comd_platform.method.diversity import DEFAULT_THRESHOLD, accept
from comd_platform.method.rouge import tokens

# Pictures, instructions that each has, new ones for each.
SHAPES = ((120, 30, 5), (20, 200, 5))
WORDS = [
    f"{head}{tail}" for head in "bcdfghklmnprstvw" for tail in ("a", "eel", "ist", "ong", "up")
]


@dataclass(frozen=True, slots=True)
class Picture:
    """The (id, text) pairs of one picture, and which of the new ones are accepted."""

    existing: list[tuple[str, str]]
    candidates: list[tuple[str, str]]
    accepted: list[bool]


def measure(scale: float, rounds: int) -> list[Row]:
    return [
        _row([_picture(n, held, new) for n in range(scaled(pictures, scale))], held, rounds)
        for pictures, held, new in SHAPES
    ]


def _row(pictures: list[Picture], held: int, rounds: int) -> Row:
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    decisions: dict[str, list[bool]] = {}
    ready = [pair for picture in pictures for pair in _encoded(picture)]

    def ours() -> None:
        decisions["comd"] = [verdict for picture in pictures for verdict in _ours(picture)]

    def theirs() -> None:
        decisions["theirs"] = [
            verdict for picture in pictures for verdict in _theirs(picture, scorer)
        ]

    def by_hand() -> None:
        for picture in pictures:
            _kernel(_encoded(picture))

    seconds = in_turns(
        {
            "comd": lambda: timed(ours, 5),
            "rouge_score": lambda: timed(theirs),
            "rapidfuzz by hand": lambda: timed(by_hand, 5),
            "rapidfuzz kernel alone": lambda: timed(lambda: _kernel(ready), 50),
        },
        rounds,
    )
    if decisions["comd"] != decisions["theirs"]:
        raise AssertionError("comd and rouge_score decide differently")
    accepted = sum(decisions["comd"])
    return Row(
        what=f"ROUGE-L diversity, {held} instructions a picture",
        amount=sum(len(others) for _, others in ready),
        unit="pairs",
        ours="comd",
        seconds=seconds,
        note=f"{len(decisions['comd'])} new instructions, {accepted} accepted; every decision is the"
        " one of rouge_score. By hand is tokens and kernel without anything else; the kernel alone"
        " gets texts turned into strings of one character a token, and gives back bare lengths.",
    )


def _ours(picture: Picture) -> list[bool]:
    return [verdict.accepted for verdict in accept(picture.candidates, picture.existing)]


def _kernel(pairs: list[tuple[str, list[str]]]) -> None:
    for query, others in pairs:
        cdist([query], others, scorer=LCSseq.similarity, dtype=np.int32)


def _theirs(picture: Picture, scorer: RougeScorer) -> list[bool]:
    held = [text for _, text in picture.existing]
    verdicts = []
    for _, candidate in picture.candidates:
        nearest = max(scorer.score(text, candidate)["rougeL"].fmeasure for text in held)
        verdicts.append(nearest < DEFAULT_THRESHOLD)
        if verdicts[-1]:
            held.append(candidate)
    return verdicts


def _encoded(picture: Picture) -> list[tuple[str, list[str]]]:
    """Every candidate with all that it is compared to, a character for every distinct token."""
    characters: dict[str, str] = {}

    def encode(text: str) -> str:
        return "".join(characters.setdefault(word, chr(len(characters))) for word in tokens(text))

    held = [encode(text) for _, text in picture.existing]
    pairs = []
    for (_, text), accepted in zip(picture.candidates, picture.accepted, strict=True):
        pairs.append((encode(text), list(held)))
        if accepted:
            held.append(pairs[-1][0])
    return pairs


def _picture(number: int, held: int, new: int) -> Picture:
    """Questions of 6 to 22 words; half of the new ones are old ones with some words exchanged."""
    chance = random.Random(number)
    existing = [_sentence(chance) for _ in range(held)]
    candidates = []
    for position in range(new):
        words = chance.choice(existing).split() if position % 2 else _sentence(chance).split()
        exchanged = chance.uniform(0, 0.6)
        candidates.append(
            " ".join(chance.choice(WORDS) if chance.random() < exchanged else w for w in words)
        )
    old = [(f"e{n}", text) for n, text in enumerate(existing)]
    young = [(f"c{n}", text) for n, text in enumerate(candidates)]
    return Picture(old, young, [verdict.accepted for verdict in accept(young, old)])


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=chance.randint(6, 22))).capitalize() + "?"


if __name__ == "__main__":
    main(measure)
