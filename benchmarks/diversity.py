"""Accepting new instructions by ROUGE-L, beside rouge_score and the kernel underneath.

The paper's last iteration: 110,000 new instructions against a cache pool of 504,000. Those of a picture
are compared with all that the picture has, in order; accepted ones join. All contenders look at the same
pairs, and comd must decide as rouge_score does.
"""

from __future__ import annotations

import gc
import random
import re
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from common import Row, in_turns, main, scaled, timed
from growth import Curve
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist
from rouge_score.rouge_scorer import RougeScorer

from comd_platform.method.diversity import DEFAULT_THRESHOLD, Group, accept_all
from comd_platform.method.words import Vocabulary

POOL, NEW = 504_000, 110_000
HELD = (6, 200)  # instructions that a picture has
SAMPLE = 10_000  # pairs that rouge_score is timed on
SIZES = (10_000, 100_000, 1_000_000)
SHORT = [
    f"{head}{middle}{tail}"
    for head in "bcdfghklmnprstvw"
    for middle in ("a", "ee", "i", "o", "u")
    for tail in ("ck", "l", "mp", "n", "rd", "st", "ng", "t", "x", "zz")
]
# Of the words of LLaVA's questions 6 in 100 have more than eight letters; 4.4 are the mean.
WORDS = SHORT + [f"{word}ations" for word in SHORT[::16]]


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
    texts = [text for picture in pictures for part in picture for _, text in part]
    decisions = _ours(pictures)
    fates = _of_each(pictures, decisions)
    pairs = sum(map(_compared, pictures, fates))
    few = 0  # the first pictures, until there are enough pairs
    sampled = 0
    while few < len(pictures) and sampled < SAMPLE:
        sampled += _compared(pictures[few], fates[few])
        few += 1
    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    if [_theirs(picture, scorer) for picture in pictures[:few]] != fates[:few]:
        raise AssertionError("comd and rouge_score decide differently")
    ready = [_encoded(*each) for each in zip(pictures, fates, strict=True)]

    def theirs() -> None:
        for picture in pictures[:few]:
            _theirs(picture, scorer)

    def by_hand() -> None:
        for each in zip(pictures, fates, strict=True):
            _one_by_one(*_encoded(*each))

    gc.collect()
    gc.freeze()  # a million objects that are the benchmark's, in nobody's time
    seconds = in_turns(
        {
            "comd": lambda: timed(lambda: _ours(pictures)),
            "rouge_score": lambda: timed(theirs) * pairs / sampled,
            "comd, the tokens alone": lambda: timed(lambda: Vocabulary().number(texts)),
            "rapidfuzz by hand": lambda: timed(by_hand),
            "rapidfuzz kernel alone": lambda: timed(lambda: [_matrix(*each) for each in ready]),
        },
        rounds,
    )
    gc.unfreeze()
    return Row(
        what=f"ROUGE-L diversity, {held} instructions a picture",
        amount=pairs,
        unit="pairs",
        ours="comd",
        seconds=seconds,
        note=f"{new:,} new instructions against a pool of {pool:,} on {len(pictures):,} pictures,"
        f" {sum(decisions):,} accepted, {pairs / 1e6:.2f} million pairs. rouge_score is timed on"
        f" {sampled:,} of them and its time scaled; there every decision is the same. A text is compared"
        f" {2 * pairs / (pool + new):.1f} times on average, and cut into tokens once. By hand: tokens by"
        " rouge_score's regular expression, and the kernel for one new instruction after the other. The"
        " kernel alone gets strings of one character a token, all of a picture's new instructions at"
        " once, and gives back bare lengths. Python's garbage collector leaves the million objects alone"
        " that are the benchmark's own, whoever's turn it is.",
    )


def _ours(pictures: Sequence[Group]) -> list[bool]:
    """As the accept phase does it; the candidates' fates, one picture's after the other's."""
    return [verdict.accepted for verdict in accept_all(pictures)]


def _of_each(pictures: Sequence[Group], decisions: Iterable[bool]) -> list[list[bool]]:
    remaining = iter(decisions)
    return [list(islice(remaining, len(picture.candidates))) for picture in pictures]


def _theirs(picture: Group, scorer: RougeScorer) -> list[bool]:
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


def _encoded(picture: Group, fates: Sequence[bool]) -> tuple[list[str], list[tuple[str, bool]]]:
    """What the picture has, and its new ones with their fate: a character for every distinct token."""
    characters: dict[str, str] = {}

    def encode(text: str) -> str:
        words = re.sub(r"[^a-z0-9]+", " ", text.lower()).split()
        return "".join(characters.setdefault(word, chr(len(characters))) for word in words)

    held = [encode(text) for _, text in picture.existing]
    return held, [
        (encode(text), fate) for (_, text), fate in zip(picture.candidates, fates, strict=True)
    ]


def _compared(picture: Group, fates: Sequence[bool]) -> int:
    """Pairs: each new one with what the picture had, and with those accepted before it."""
    pairs, held = 0, len(picture.existing)
    for accepted in fates:
        pairs += held
        held += accepted
    return pairs


def _pictures(pool: int, new: int, held: int) -> list[Group]:
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
            Group(
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
