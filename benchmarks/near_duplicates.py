"""Near-duplicate questions: signatures and candidate pairs, beside datasketch and rensa.

All sign the same bags of words with 128 permutations and look for pairs in the same bands. comd and
datasketch must give the same signatures and the same candidates; rensa hashes in its own way (and
faster), so only its speed is told. It is measured where it is installed (`pip install rensa`), which
comd does not need.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable

import numpy as np
from common import Once, Row, in_turns, main, scaled, timed
from datasketch import MinHash, MinHashLSH

from comd_platform.method.minhash import (
    PERMUTATIONS,
    SEED,
    band_keys,
    banding,
    features,
    signatures,
)
from comd_platform.method.near_duplicates import clusters

TEXTS, POOL = 20_000, 504_000  # texts beside the others; the paper's last cache pool
THRESHOLD = 0.9
CUT = banding(THRESHOLD)
HEADS = ("What is", "Where is", "How many", "Can you describe", "Why might", "Is there any")
THINGS = [f"{a}{b}" for a in "bcdfghklmnprstvwz" for b in ("aster", "elm", "ill", "oon", "umber")]
PLACES = ("on the left", "behind the counter", "in the background of the image", "near the window")


def measure(scale: float, rounds: int) -> list[Row]:
    texts = questions(scaled(TEXTS, scale))
    return [_signing(texts, rounds), _pairing(texts, rounds), _pool(scaled(POOL, scale))]


def _signing(texts: list[str], rounds: int) -> Row:
    bags = [[feature.encode() for feature in features(text)] for text in texts]
    made: dict[str, np.ndarray] = {}

    def ours() -> None:
        made["comd"] = signatures(texts)

    def one_by_one() -> None:
        made["datasketch"] = np.array([_theirs(text).hashvalues for text in texts])

    contenders: dict[str, Once] = {
        "comd": lambda: timed(ours, 3),
        "datasketch update": lambda: timed(one_by_one),
        "datasketch bulk, features at hand": lambda: timed(
            lambda: MinHash.bulk(bags, num_perm=PERMUTATIONS, seed=SEED)
        ),
    }
    rensa = _rensa()
    if rensa is not None:
        words = [features(text) for text in texts]
        contenders["rensa, features at hand"] = lambda: timed(lambda: rensa(words), 3)
    seconds = in_turns(contenders, rounds)
    if not np.array_equal(made["comd"], made["datasketch"]):
        raise AssertionError("comd and datasketch sign differently")
    return Row(
        what="MinHash signatures of questions, 128 permutations",
        amount=len(texts),
        unit="questions",
        ours="comd",
        seconds=seconds,
        note=f"{len(texts):,} questions; every signature is the one of datasketch, bit by bit. comd and"
        " datasketch's update begin with the text; the others are given the bags of words.",
    )


def _pairing(texts: list[str], rounds: int) -> Row:
    found: dict[str, set[tuple[int, int]]] = {}

    def ours() -> None:
        pairs: set[tuple[int, int]] = set()
        for keys in band_keys(signatures(texts), CUT):
            order = np.argsort(keys, kind="stable")
            edges = np.flatnonzero(np.diff(keys[order])) + 1
            for bucket in np.split(order, edges):
                if len(bucket) > 1:
                    first, second = np.triu_indices(len(bucket), 1)
                    members = np.sort(bucket)
                    pairs.update(
                        zip(members[first].tolist(), members[second].tolist(), strict=True)
                    )
        found["comd"] = pairs

    def naive() -> None:
        index = MinHashLSH(num_perm=PERMUTATIONS, params=(CUT.bands, CUT.rows))
        signed = [_theirs(text) for text in texts]
        for number, each in enumerate(signed):
            index.insert(number, each)
        found["datasketch"] = {
            (number, other)
            for number, each in enumerate(signed)
            for other in index.query(each)
            if number < other
        }

    seconds = in_turns({"comd": lambda: timed(ours), "datasketch": lambda: timed(naive)}, rounds)
    if found["comd"] != found["datasketch"]:
        raise AssertionError("comd and datasketch find different pairs")
    return Row(
        what="Candidate pairs of near-duplicate questions, from text to pairs",
        amount=len(texts),
        unit="questions",
        ours="comd",
        seconds=seconds,
        note=f"{len(texts):,} questions, {CUT.bands} bands of {CUT.rows}; the same"
        f" {len(found['comd']):,} pairs. datasketch: update, insert and query, one after the other.",
    )


def _pool(count: int) -> Row:
    """All of a pool, candidates scored exactly and grouped: nothing stands beside it but its parts."""
    texts = questions(count)
    groups: list[list[int]] = []

    def whole() -> None:
        groups[:] = clusters(texts, THRESHOLD)

    seconds = in_turns(
        {
            "comd": lambda: timed(whole),
            "the signatures alone": lambda: timed(lambda: signatures(texts)),
        },
        1,
    )
    grouped = sum(len(group) for group in groups)
    return Row(
        what=f"Near-duplicates of a pool of {count:,} instructions",
        amount=count,
        unit="instructions",
        ours="comd",
        seconds=seconds,
        note=f"{len(set(texts)):,} different texts; {grouped:,} instructions in {len(groups):,}"
        f" clusters at ROUGE-L {THRESHOLD}; {seconds['comd'][0]:.0f} s, peak memory of the process"
        f" {_peak_megabytes():,.0f} MB. One round.",
    )


def questions(count: int) -> list[str]:
    """Questions as pools hold them: templates, a third asked again, a third with a word exchanged."""
    chance = random.Random(11)
    made: list[str] = []
    while len(made) < count:
        things = chance.choices(THINGS, k=chance.randint(2, 9))
        where = chance.choice(PLACES)
        text = f"{chance.choice(HEADS)} the {' and the '.join(things)} {where} number {len(made)}?"
        made.append(text)
        fate = chance.random()
        if fate < 0.33:
            made.append(text)
        elif fate < 0.66:
            made.append(text.replace(things[0], chance.choice(THINGS), 1))
    return made[:count]


def _theirs(text: str) -> MinHash:
    signed = MinHash(num_perm=PERMUTATIONS, seed=SEED)
    for feature in features(text):
        signed.update(feature.encode())
    return signed


def _rensa() -> Callable[[list[list[str]]], object] | None:
    if importlib.util.find_spec("rensa") is None:
        return None
    from rensa import RMinHash

    def sign(bags: list[list[str]]) -> list[object]:
        signed = []
        for bag in bags:
            each = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
            each.update(bag)
            signed.append(each)
        return signed

    return sign


def _peak_megabytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(measure)
