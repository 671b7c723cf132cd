"""Near-duplicate questions: signatures, candidates and groups, beside datasketch and rensa.

All sign the same bags of words with 128 permutations and look for pairs in the same bands. comd and
datasketch must give the same signatures and the same candidates; rensa hashes in its own way (and
faster), so only its speed is told.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import tempfile
from pathlib import Path

import numpy as np
import peers
from common import Once, Row, in_turns, main, scaled, timed
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

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
CLIENT = Path(__file__).resolve().parent / "clients" / "rensa_client.py"
HEADS = ("What is", "Where is", "How many", "Can you describe", "Why might", "Is there any")
THINGS = [f"{a}{b}" for a in "bcdfghklmnprstvwz" for b in ("aster", "elm", "ill", "oon", "umber")]
PLACES = ("on the left", "behind the counter", "in the background of the image", "near the window")


def measure(scale: float, rounds: int) -> list[Row]:
    texts = questions(scaled(TEXTS, scale))
    grouping = _grouping(texts, rounds)
    return [_signing(texts, rounds), grouping, _pool(scaled(POOL, scale), grouping)]


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
    with tempfile.TemporaryDirectory(prefix="comd-bench-") as room:
        told = ""
        words = Path(room) / "bags.json"
        words.write_text(json.dumps([features(text) for text in texts]))
        try:
            python = peers.environment("rensa")
            command = [python, CLIENT, words, str(PERMUTATIONS), str(SEED)]
            peers.seconds_told(command)
            contenders["rensa, features at hand"] = lambda: peers.seconds_told(command)
        except peers.NoPeer as error:
            told = f" rensa is missing: {error}."
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
        " datasketch's update begin with the text; the others are given the bags of words." + told,
    )


def _grouping(texts: list[str], rounds: int) -> Row:
    """The whole of it at a size that datasketch can do, too."""
    found: list[NDArray[np.int64]] = []

    def naive() -> None:
        found[:] = [_naive(texts)]

    seconds = in_turns(
        {
            "comd": lambda: timed(lambda: clusters(texts, THRESHOLD)),
            "datasketch, candidates only": lambda: timed(naive),
        },
        rounds,
    )
    if not np.array_equal(_pairs(band_keys(signatures(texts), CUT)), found[0]):
        raise AssertionError("comd and datasketch find different pairs")
    return Row(
        what="Near-duplicates among questions, from text to groups",
        amount=len(texts),
        unit="questions",
        ours="comd",
        seconds=seconds,
        note=f"{len(texts):,} questions, {CUT.bands} bands of {CUT.rows}, in which both find the same"
        f" {len(found[0]):,} candidate pairs. comd scores them by ROUGE-L and groups; datasketch"
        " (update, insert and query, one after the other) names them and no more.",
    )


def _naive(texts: list[str]) -> NDArray[np.int64]:
    """datasketch as its documentation uses it; the pairs as `_pairs` gives them."""
    index = MinHashLSH(num_perm=PERMUTATIONS, params=(CUT.bands, CUT.rows))
    signed = [_theirs(text) for text in texts]
    for number, each in enumerate(signed):
        index.insert(number, each)
    pairs = {
        number * len(texts) + other
        for number, each in enumerate(signed)
        for other in index.query(each)
        if number < other
    }
    return np.array(sorted(pairs), dtype=np.int64)


def _pairs(bands: NDArray[np.uint64]) -> NDArray[np.int64]:
    """(bands, N) -> the pairs that share a key in a band, each once, as first * N + second."""
    count = bands.shape[1]
    pairs = [np.empty(0, dtype=np.int64)]
    for keys in bands:
        order = np.argsort(keys, kind="stable")  # a bucket's members in a row, in their order
        ordered = keys[order]
        apart = 1
        while len(near := np.flatnonzero(ordered[apart:] == ordered[:-apart])):
            pairs.append(order[near] * count + order[near + apart])
            apart += 1
    return np.unique(np.concatenate(pairs))


def _pool(count: int, grouping: Row) -> Row:
    """All of a pool, candidates scored exactly and grouped, beside datasketch's candidates alone."""
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
    half, whole_sample = grouping.amount // 2, grouping.amount
    one = timed(lambda: _naive(texts[:half]))
    two = statistics.median(grouping.seconds["datasketch, candidates only"])
    # Signing grows with the questions, candidates with their square: a n + b n^2 through two points.
    square = max(0.0, (two - one * whole_sample / half) / (whole_sample**2 - whole_sample * half))
    linear = one / half - square * half
    seconds["datasketch, candidates only"] = [linear * count + square * count**2]
    grouped = sum(len(group) for group in groups)
    return Row(
        what=f"Near-duplicates of a pool of {count:,} instructions",
        amount=count,
        unit="instructions",
        ours="comd",
        seconds=seconds,
        note=f"{len(set(texts)):,} different texts; {grouped:,} instructions in {len(groups):,}"
        f" clusters at ROUGE-L {THRESHOLD}; {seconds['comd'][0]:.0f} s, peak memory of the process"
        f" {_peak_megabytes():,.0f} MB. datasketch: from its time for"
        f" {half:,} and {whole_sample:,} questions, as a n + b n^2; in proportion to the questions alone"
        f" it were {two * count / whole_sample:,.0f} s. It neither scores nor groups. One round.",
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


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(measure)
