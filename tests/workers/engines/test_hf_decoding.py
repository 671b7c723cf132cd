"""Sampling by inverse CDF: the right distribution, each row by its own seed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from comd_workers.engines.base import Sampling
from comd_workers.engines.hf.decoding import RowLimits, RowSampler, inverse_cdf, nucleus

CPU = torch.device("cpu")
weights = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1.0)), min_size=2, max_size=12).filter(
    lambda row: sum(row) > 0
)
draws = st.floats(0.0, 1.0, exclude_max=True)


def drawn(scores: torch.Tensor, seeds: list[int], sampling: Sampling) -> list[int]:
    """The token of each row at the first step."""
    sampler = RowSampler(seeds, sampling, prompt_length=3, device=CPU)
    forced = sampler(torch.zeros(len(seeds), 3, dtype=torch.long), scores)
    assert (forced > -torch.inf).sum(dim=-1).eq(1).all()
    return forced.argmax(dim=-1).tolist()


@given(weights, draws)
def test_the_token_is_where_the_cumulative_sum_passes_the_draw(row: list[float], u: float) -> None:
    token = int(inverse_cdf(torch.tensor([row], dtype=torch.float64), torch.tensor([u]).double()))
    assert row[token] > 0
    assert sum(row[:token]) <= u * sum(row) + 1e-9
    assert sum(row[: token + 1]) >= u * sum(row) - 1e-9


@given(weights, st.floats(0.01, 1.0))
def test_the_nucleus_is_the_fewest_tokens_that_reach_top_p(row: list[float], top_p: float) -> None:
    p = torch.tensor([row], dtype=torch.float64)
    p = p / p.sum()
    kept = nucleus(p, top_p)[0]
    inside = kept[kept > 0]
    assert float(inside.sum()) >= top_p - 1e-9 or len(inside) == int((p > 0).sum())
    assert float(inside.sum() - inside.min()) < top_p
    assert float(inside.min()) >= float(p[0][kept == 0].max() if (kept == 0).any() else 0) - 1e-12


def test_a_row_draws_from_its_own_generator() -> None:
    scores = torch.randn(50, 40, generator=torch.Generator().manual_seed(1))
    seeds = [i * 2**40 + 5 for i in range(50)]
    sampling = Sampling(temperature=1.0, max_new_tokens=4)
    together = drawn(scores, seeds, sampling)
    alone = [drawn(scores[i : i + 1], seeds[i : i + 1], sampling)[0] for i in range(50)]
    assert together == alone
    assert drawn(scores, [seed + 1 for seed in seeds], sampling) != together


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_follow_the_tempered_softmax(temperature: float) -> None:
    row = torch.tensor([2.0, 1.0, 0.0, -1.0, -torch.inf])
    rows = 20_000
    tokens = drawn(row.repeat(rows, 1), list(range(rows)), Sampling(temperature=temperature))
    seen = torch.bincount(torch.tensor(tokens), minlength=5) / rows
    expected = torch.softmax(row / temperature, dim=-1)
    assert torch.allclose(seen, expected, atol=4 * (0.25 / rows) ** 0.5)
    assert seen[4] == 0


def test_seeds_that_differ_in_high_bits_only_differ() -> None:
    scores = torch.zeros(2, 1000)
    first, second = drawn(scores, [1, 1 + (1 << 62)], Sampling(temperature=1.0))
    assert first != second


def test_a_row_ends_at_its_limit_or_its_stop_string() -> None:
    words = ["", "ka", "lo", "mi", "."]

    def decode(rows: list[list[int]]) -> list[str]:
        return [" ".join(words[token] for token in row) for row in rows]

    limits = RowLimits([1, 4, 4], ["lo ."], prompt_length=1, decode=decode, device=CPU)
    ids = torch.tensor([[2, 1, 0, 0], [4, 2, 4, 0], [4, 1, 2, 3]])  # first column: the prompt
    done = [limits(ids[:, :length], None).tolist() for length in (2, 3, 4)]
    assert done == [[True, False, False], [True, True, False], [True, True, False]]
    assert limits.ended.tolist() == [1, 2, 4]
