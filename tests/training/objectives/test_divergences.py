"""Divergences and distances: values worked out by hand, gradients, and what must hold of all."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from comd_platform.config.objectives import Distance, Divergence
from comd_training.objectives.divergences import DIVERGENCES, coarse, tempered
from comd_training.objectives.logit_kd import logit_term
from comd_training.objectives.token_kd import DISTANCES

LN = math.log


def logs(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def test_every_name_of_the_config_is_there() -> None:
    assert set(DIVERGENCES) == set(get_args(Divergence))
    assert set(DISTANCES) == set(get_args(Distance))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # p = (1/2, 1/2), q = (1/4, 3/4)
        ("forward_kl", 0.5 * LN(2) + 0.5 * LN(2 / 3)),
        ("reverse_kl", 0.25 * LN(1 / 2) + 0.75 * LN(3 / 2)),
        ("symmetric_kl", (0.5 * LN(4 / 3) + 0.75 * LN(3) - LN(2)) / 2),
        # m = (3/8, 5/8)
        (
            "js",
            (0.5 * LN(4 / 3) + 0.5 * LN(4 / 5) + 0.25 * LN(2 / 3) + 0.75 * LN(6 / 5)) / 2,
        ),
    ],
)
def test_by_hand(name: str, value: float) -> None:
    p, q = logs((0.5, 0.5)), logs((0.25, 0.75))
    assert DIVERGENCES[name](p, q).tolist() == pytest.approx([value])


def test_a_token_that_the_teacher_rules_out() -> None:
    p, q = logs((1.0, 0.0)), logs((0.5, 0.5))
    assert DIVERGENCES["forward_kl"](p, q).item() == pytest.approx(LN(2))
    assert DIVERGENCES["reverse_kl"](p, q).item() == math.inf
    # m = (3/4, 1/4)
    js = (LN(4 / 3) + 0.5 * LN(2 / 3) + 0.5 * LN(2)) / 2
    assert DIVERGENCES["js"](p, q).item() == pytest.approx(js)
    # And its gradient is a number all the same.
    for name in ("forward_kl", "js"):
        student = q.clone().requires_grad_()
        DIVERGENCES[name](p, student).sum().backward()
        assert student.grad is not None
        assert student.grad.isfinite().all(), name


def test_temperature_by_hand() -> None:
    """p = (1/5, 4/5) at T = 2 is (1/3, 2/3); q = (1/2, 1/2) stays; the term is 4 times the KL."""
    p, q = logs((0.2, 0.8)), logs((0.5, 0.5))
    assert tempered(p, 2.0).exp().tolist() == [pytest.approx([1 / 3, 2 / 3])]
    kl = 1 / 3 * LN(2 / 3) + 2 / 3 * LN(4 / 3)
    assert logit_term(p, q, "forward_kl", 2.0).item() == pytest.approx(4 * kl)
    assert logit_term(p, q, "forward_kl", 1.0).item() == pytest.approx(
        0.2 * LN(0.4) + 0.8 * LN(1.6)
    )


def test_the_square_keeps_gradients_in_proportion() -> None:
    """Hinton et al. 2015: at a high temperature the gradient is that of logits, divided by V."""
    teacher = torch.tensor([[0.3, -0.2, 0.1, 0.0]], dtype=torch.float64)
    norms = []
    for temperature in (50.0, 100.0):
        student = torch.zeros(1, 4, dtype=torch.float64, requires_grad=True)
        logit_term(teacher, student, "forward_kl", temperature).sum().backward()
        assert student.grad is not None
        norms.append(student.grad.norm().item())
    expected = (teacher - teacher.mean()).norm().item() / 4
    assert norms == pytest.approx([expected, expected], rel=1e-2)


def test_what_is_not_stored_is_one_outcome() -> None:
    q = logs((0.4, 0.3, 0.2, 0.1), (0.1, 0.1, 0.2, 0.6))
    ids = torch.tensor([[0, 2], [3, 2]])
    assert coarse(q, ids).exp().tolist() == [
        pytest.approx([0.4, 0.2, 0.4]),
        pytest.approx([0.6, 0.2, 0.2]),
    ]
    every = torch.tensor([[3, 1, 0, 2], [0, 1, 2, 3]])
    assert coarse(q, every).exp().tolist() == [
        pytest.approx([0.1, 0.3, 0.4, 0.2]),
        pytest.approx([0.1, 0.1, 0.2, 0.6]),
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("cosine", [1 - 24 / 25, 2.0]), ("mse", [2 / 2, (8**2 + 6**2) / 2])]
)
def test_distances_by_hand(name: str, value: list[float]) -> None:
    """Angles between (3, 4) and (4, 3), and between (-4, -3) and (4, 3)."""
    ours = torch.tensor([[3.0, 4.0], [-4.0, -3.0]], dtype=torch.float64)
    theirs = torch.tensor([[4.0, 3.0], [4.0, 3.0]], dtype=torch.float64)
    assert DISTANCES[name](ours, theirs).tolist() == pytest.approx(value)


LOGITS = arrays.arrays(
    np.float64, (2, 3, 5), elements=st.floats(-15, 15, allow_nan=False, allow_subnormal=False)
)


@given(LOGITS)
def test_what_holds_of_every_divergence(logits: np.ndarray) -> None:
    p, q = torch.from_numpy(logits).log_softmax(dim=-1)
    for name, divergence in DIVERGENCES.items():
        assert (divergence(p, q) >= -1e-12).all(), name
        assert divergence(p, p).tolist() == pytest.approx([0, 0, 0], abs=1e-12), name
    assert (DIVERGENCES["js"](p, q) <= LN(2) + 1e-12).all()
    for name in ("js", "symmetric_kl"):
        back = DIVERGENCES[name](q, p).tolist()
        assert DIVERGENCES[name](p, q).tolist() == pytest.approx(back, abs=1e-12), name
    there, back = DIVERGENCES["forward_kl"](p, q), DIVERGENCES["reverse_kl"](q, p)
    assert there.tolist() == pytest.approx(back.tolist(), abs=1e-12)


@given(LOGITS, st.integers(1, 4))
def test_fewer_outcomes_never_show_more(logits: np.ndarray, k: int) -> None:
    """The data-processing inequality, which makes top-k logits a lower bound."""
    p, q = torch.from_numpy(logits).log_softmax(dim=-1)
    ids = p.topk(k).indices
    for name, divergence in DIVERGENCES.items():
        whole, part = divergence(p, q), divergence(coarse(p, ids), coarse(q, ids))
        assert (part <= whole + 1e-9).all(), name
        assert coarse(p, ids).exp().sum(dim=-1).tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("name", DIVERGENCES)
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_gradients_of_divergences(name: str, temperature: float) -> None:
    torch.manual_seed(3)
    teacher = torch.randn(4, 6, dtype=torch.float64)
    student = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)

    def term(logits: Tensor) -> Tensor:
        return logit_term(
            teacher.log_softmax(dim=-1), logits.log_softmax(dim=-1), name, temperature
        )

    def on_top_two(logits: Tensor) -> Tensor:
        p, q = teacher.log_softmax(dim=-1), logits.log_softmax(dim=-1)
        ids = p.topk(2).indices
        return logit_term(coarse(p, ids), coarse(q, ids), name, temperature)

    assert torch.autograd.gradcheck(term, (student,))
    assert torch.autograd.gradcheck(on_top_two, (student,))


@pytest.mark.parametrize("name", DISTANCES)
def test_gradients_of_distances(name: str) -> None:
    torch.manual_seed(3)
    theirs = torch.randn(4, 6, dtype=torch.float64)
    ours = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: DISTANCES[name](x, theirs), (ours,))
