"""Signatures are datasketch's, bit by bit; bands find what the threshold asks for."""

from __future__ import annotations

import random

import numpy as np
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.method.minhash import (
    PERMUTATIONS,
    SEED,
    band_keys,
    banding,
    features,
    signatures,
    sketch,
)

words = st.lists(st.sampled_from(["a", "the", "cat", "dog", "7", "red", "is"]), max_size=12)
texts = st.one_of(st.text(max_size=40), words.map(" ".join))


def theirs(text: str) -> MinHash:
    """A text's signature, one feature after the other, as datasketch's documentation has it."""
    made = MinHash(num_perm=PERMUTATIONS, seed=SEED)
    for feature in features(text):
        made.update(feature.encode())
    return made


@given(st.lists(texts, max_size=8))
def test_every_signature_is_the_one_of_datasketch(found: list[str]) -> None:
    ours = signatures(found)
    assert ours.shape == (len(found), PERMUTATIONS)
    for row, text in zip(ours, found, strict=True):
        assert np.array_equal(row, theirs(text).hashvalues)
        assert sketch(text) == theirs(text)


def test_more_texts_than_a_chunk_holds_get_the_same_signatures() -> None:
    found = [f"what is number {number} of {number % 7}" for number in range(1100)]
    assert np.array_equal(signatures(found), np.array([theirs(t).hashvalues for t in found]))


def test_the_kth_occurrence_of_a_word_is_a_feature_of_its_own() -> None:
    assert features("The cat, the DOG") == ["the 0", "cat 0", "the 1", "dog 0"]
    assert features("\u4f60\u597d") == []


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_miss_fewer_than_one_in_a_thousand_at_the_threshold(threshold: float) -> None:
    cut = banding(threshold)
    shared = threshold / (2 - threshold)
    assert cut.bands * cut.rows <= PERMUTATIONS
    assert (1 - shared**cut.rows) ** cut.bands <= 1e-3


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1])
def test_a_threshold_outside_its_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        banding(threshold)


def test_equal_band_keys_are_the_candidates_of_datasketchs_index() -> None:
    chance = random.Random(4)
    found = []
    for _ in range(150):
        base = [f"w{chance.randrange(40)}" for _ in range(chance.randint(3, 14))]
        found += [" ".join(base), " ".join(w if chance.random() < 0.8 else "x" for w in base)]
    cut = banding(0.8)
    keys = band_keys(signatures(found), cut)
    lsh = MinHashLSH(num_perm=PERMUTATIONS, params=(cut.bands, cut.rows))
    for number, text in enumerate(found):
        lsh.insert(number, theirs(text))
    pairs = 0
    for number, text in enumerate(found):
        ours = set(np.flatnonzero((keys == keys[:, [number]]).any(axis=0)).tolist())
        assert ours == set(lsh.query(theirs(text)))
        pairs += len(ours) - 1
    assert pairs > 100
