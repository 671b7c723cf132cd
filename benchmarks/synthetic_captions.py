"""Millions of captions out of some thousand real ones, with a tail of phrases that stays long.

    python benchmarks/synthetic_captions.py REAL.tsv --captions 3000000 --out big.tsv

Each caption is a real one whose noun phrases are drawn anew from a Pitman-Yor process: the n-th
phrase is a new one with probability (θ + d·types)/(θ + n), else a copy of an earlier one. Repeating
the real captions instead would leave no rare phrase at all. The discount d is the share of phrases
that the real captions have once (its limit in such a process), and θ is fitted so that as many
phrases bring forth as many types as in the real captions. New types are the real ones, then pairs of
their words.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from comd_training.pretrain.pairs import Pair, read_pairs
from comd_training.pretrain.phrases import BundledExtractor


def types_after(tokens: int, discount: float, theta: float) -> float:
    """Expected types of a Pitman-Yor process after `tokens` draws (mean field)."""
    types = 0.0
    for n in range(tokens):
        types += (theta + discount * types) / (theta + n)
    return types


def fitted_theta(tokens: int, types: int, discount: float) -> float:
    """The concentration with which `tokens` draws give `types` types, by bisection."""
    low, high = 1e-3, 1e6
    for _ in range(25):
        middle = (low * high) ** 0.5
        if types_after(tokens, discount, middle) < types:
            low = middle
        else:
            high = middle
    return high


class PitmanYor:
    """Draws type numbers 0, 1, 2, … with a power-law tail."""

    def __init__(self, discount: float, theta: float, rng: random.Random) -> None:
        self._discount, self._theta, self._rng = discount, theta, rng
        self._drawn: list[int] = []
        self._counts: list[int] = []

    def draw(self) -> int:
        new = (self._theta + self._discount * len(self._counts)) / (self._theta + len(self._drawn))
        found = len(self._counts) if self._rng.random() < new else self._old()
        if found == len(self._counts):
            self._counts.append(0)
        self._counts[found] += 1
        self._drawn.append(found)
        return found

    def _old(self) -> int:
        """An earlier type with probability proportional to its count less the discount."""
        while True:
            found = self._drawn[int(self._rng.random() * len(self._drawn))]
            if self._rng.random() * self._counts[found] > self._discount:
                return found


def names(phrases: list[str], rng: random.Random) -> Iterator[str]:
    """The real phrases, most frequent first, then new ones from their words, no two alike."""
    yield from phrases
    known = set(phrases)
    firsts = sorted({p.split()[0] for p in phrases if " " in p and p.split()[0].isalpha()})
    lasts = sorted({p.split()[-1] for p in phrases if p.split()[-1].isalpha()})
    while True:
        made = f"{rng.choice(firsts)} {rng.choice(firsts)} {rng.choice(lasts)}"
        if made not in known:
            known.add(made)
            yield made


def templates(captions: list[str], phrases: list[list[str]]) -> Iterator[list[str]]:
    """Captions cut where a noun phrase stood; the pieces between are kept."""
    for caption, found in zip(captions, phrases, strict=True):
        if found:
            longest = sorted(found, key=len, reverse=True)
            pattern = "|".join(rf"(?<!\w){re.escape(phrase)}(?!\w)" for phrase in longest)
            yield re.split(pattern, caption.lower())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("--captions", type=int, default=3_000_000)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    captions = [found.caption for found in read_pairs(asked.real) if isinstance(found, Pair)]
    phrases = list(BundledExtractor().phrases(captions))
    counts = Counter(phrase for found in phrases for phrase in found)
    tokens = sum(counts.values())
    discount = sum(n == 1 for n in counts.values()) / len(counts)
    theta = fitted_theta(tokens, len(counts), discount)
    print(f"real: {tokens:,} phrases, {len(counts):,} types; d {discount:.3f}, theta {theta:.0f}")
    process = PitmanYor(discount, theta, rng)
    naming = names([phrase for phrase, _ in counts.most_common()], rng)
    known: list[str] = []
    frames = list(templates(captions, phrases))
    with asked.out.open("w", encoding="utf-8") as lines:
        for number in range(asked.captions):
            pieces = rng.choice(frames)
            text = pieces[0]
            for piece in pieces[1:]:
                drawn = process.draw()
                if drawn == len(known):
                    known.append(next(naming))
                text += known[drawn] + piece
            lines.write(f"{text}\t{number:09}.jpg\n")
    print(f"{asked.out}: {asked.captions:,} captions, {len(known):,} types")


if __name__ == "__main__":
    main()
