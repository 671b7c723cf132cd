"""Objectives on small models that stand still: what counts, what does not, and how it adds up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from comd_platform.config.objectives import ObjectiveConfig
from comd_training.objectives import (
    OBJECTIVES,
    Batch,
    Objective,
    ObjectiveLoss,
    Pair,
    make_objective,
)
from comd_training.objectives.token_kd import BRIDGE
from comd_training.top_logits import TopLogits

CONFIG: TypeAdapter[Any] = TypeAdapter(ObjectiveConfig)
TOKENS = 7
WHITE_BOX = [
    {"name": "logit_kd"},
    {"name": "logit_kd", "divergence": "reverse_kl", "temperature": 2.0, "logit_weight": 0.5},
    {"name": "logit_kd", "divergence": "symmetric_kl", "cross_entropy_weight": 0.0},
    {"name": "token_kd"},
    {"name": "token_kd", "distance": "mse", "token_weight": 3.0, "hidden_width": 3},
    {"name": "joint", "divergence": "js", "distance": "mse"},
]


class Small(nn.Module):
    """Embedding -> tanh -> head, as a causal language model answers; `width` of its hidden states."""

    def __init__(self, seed: int, width: int, vocabulary: int = TOKENS) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.embed = nn.Embedding(vocabulary, width, dtype=torch.float64)
        self.head = nn.Linear(width, vocabulary, dtype=torch.float64)
        sizes = SimpleNamespace(hidden_size=width, vocab_size=vocabulary)
        self.config = SimpleNamespace(get_text_config=lambda: sizes)

    def forward(self, input_ids: Tensor, **how: Any) -> SimpleNamespace:
        states = self.embed(input_ids).cumsum(dim=1).tanh()
        kept = (states,) if how.get("output_hidden_states") else None
        return SimpleNamespace(logits=self.head(states), hidden_states=kept)


def made(told: dict[str, Any], vocabulary: int = TOKENS) -> tuple[Objective, Small]:
    student, teacher = Small(1, 4, vocabulary), Small(2, 5)
    objective = make_objective(CONFIG.validate_python(told), Pair(student, teacher, TOKENS, seed=9))
    return objective, student


def batch_of(
    rows: list[list[int]], answers: list[list[int]], total: int, *, picture: int = 0
) -> Batch:
    """`answers`: positions that carry loss; the teacher sees `picture` more tokens in front."""

    def labels(ids: Tensor, shift: int) -> Tensor:
        found = torch.full_like(ids, -100)
        for row, positions in enumerate(answers):
            for position in positions:
                found[row, position + shift] = ids[row, position + shift]
        return found

    ids = torch.tensor(rows)
    theirs = torch.cat([torch.zeros(len(rows), picture, dtype=torch.long), ids], dim=1)
    return Batch(
        {"input_ids": ids},
        labels(ids, 0),
        torch.tensor(total),
        {"input_ids": theirs, "labels": labels(theirs, picture)},
    )


ROWS = [[1, 2, 3, 4, 5], [2, 2, 6, 1, 0], [3, 1, 1, 5, 6]]
ANSWERS = [[2, 3], [4], [1, 4]]


def run(objective: Objective, student: nn.Module, batch: Batch) -> tuple[ObjectiveLoss, Tensor]:
    """The loss and its gradient, as one vector."""
    student.zero_grad()
    told = objective.loss(student, batch)
    told.loss.backward()  # type: ignore[no-untyped-call]
    grads = [
        (torch.zeros_like(p) if p.grad is None else p.grad).flatten().double()
        for p in student.parameters()
    ]
    return told, torch.cat(grads)


def test_the_registry_and_the_config_know_the_same_names() -> None:
    kinds = get_args(get_args(ObjectiveConfig)[0])
    assert {kind.model_fields["name"].default for kind in kinds} == set(OBJECTIVES)


@pytest.mark.parametrize("told", WHITE_BOX)
def test_the_loss_is_the_weighted_sum_of_what_it_reports(told: dict[str, Any]) -> None:
    objective, student = made(told)
    loss, gradient = run(objective, student, batch_of(ROWS, ANSWERS, 5))
    config = CONFIG.validate_python(told)
    weights = {
        "cross_entropy": config.cross_entropy_weight,
        "logit_kd": getattr(config, "logit_weight", 0),
        "token_kd": getattr(config, "token_weight", 0),
    }
    assert loss.loss.item() == pytest.approx(
        sum(weights[name] * value.item() for name, value in loss.metrics.items())
    )
    assert gradient.norm() > 0
    assert all(not value.requires_grad for value in loss.metrics.values())


def test_joint_is_made_of_the_others() -> None:
    batch = batch_of(ROWS, ANSWERS, 5)
    parts: dict[str, float] = {}
    for name in ("sft", "logit_kd", "token_kd"):
        objective, student = made({"name": name})
        found, _ = run(objective, student, batch)
        parts |= {key: value.item() for key, value in found.metrics.items()}
        if name == "sft":
            parts["cross_entropy"] = found.loss.item()
    objective, student = made({"name": "joint"})
    joint, _ = run(objective, student, batch)
    assert {k: v.item() for k, v in joint.metrics.items()} == pytest.approx(parts)
    assert joint.loss.item() == pytest.approx(sum(parts.values()))


@pytest.mark.parametrize("told", [{"name": "sft"}, *WHITE_BOX])
def test_how_a_batch_is_cut_changes_nothing(told: dict[str, Any]) -> None:
    """The whole batch, or three micro batches of one: the same loss, gradient, metrics."""
    objective, student = made(told)
    whole, gradient = run(objective, student, batch_of(ROWS, ANSWERS, 5))
    cut = [
        run(objective, student, batch_of([row], [answer], 5))
        for row, answer in zip(ROWS, ANSWERS, strict=True)
    ]
    assert sum(loss.loss.item() for loss, _ in cut) == pytest.approx(whole.loss.item())
    assert torch.stack([grad for _, grad in cut]).sum(dim=0) == pytest.approx(gradient, abs=1e-6)
    for name, value in whole.metrics.items():
        assert sum(loss.metrics[name].item() for loss, _ in cut) == pytest.approx(value.item())


@pytest.mark.parametrize("told", [{"name": "sft"}, *WHITE_BOX])
@given(st.integers(0, TOKENS - 1), st.integers(0, TOKENS - 1))
@settings(max_examples=10)
def test_what_carries_no_loss_and_comes_later_has_no_influence(
    told: dict[str, Any], one: int, other: int
) -> None:
    """The tokens after the last answer: whatever stands there, loss and gradient are the same."""
    objective, student = made(told)
    rows = [[*row, one, other] for row in ROWS]
    found, gradient = run(objective, student, batch_of(rows, ANSWERS, 5))
    rest, untouched = run(objective, student, batch_of([[*r, 0, 0] for r in ROWS], ANSWERS, 5))
    assert found.loss.item() == pytest.approx(rest.loss.item(), abs=1e-12)
    assert gradient == pytest.approx(untouched, abs=1e-6)


@pytest.mark.parametrize("told", [{"name": "sft"}, *WHITE_BOX])
def test_a_micro_batch_that_only_fills_up_adds_nothing(told: dict[str, Any]) -> None:
    objective, student = made(told)
    found, gradient = run(objective, student, batch_of(ROWS, [[], [], []], 5))
    assert found.loss.item() == 0
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("told", WHITE_BOX)
def test_the_teacher_is_aligned_by_answers_not_by_positions(told: dict[str, Any]) -> None:
    """Three more tokens for its picture (embedded as zeros): it says the same at the same answers."""
    objective, student = made(told)
    objective._teacher.embed.weight.data[0] = 0  # type: ignore[attr-defined]
    near, gradient = run(objective, student, batch_of(ROWS, ANSWERS, 5))
    far, shifted = run(objective, student, batch_of(ROWS, ANSWERS, 5, picture=3))
    assert far.loss.item() == pytest.approx(near.loss.item())
    assert shifted == pytest.approx(gradient)


def test_a_teacher_like_the_student_leaves_nothing_to_learn_from_it() -> None:
    student = Small(1, 4)
    for divergence in ("forward_kl", "reverse_kl", "symmetric_kl", "js"):
        config = CONFIG.validate_python(
            {"name": "logit_kd", "divergence": divergence, "cross_entropy_weight": 0}
        )
        objective = make_objective(config, Pair(student, Small(1, 4), TOKENS, seed=0))
        found, gradient = run(objective, student, batch_of(ROWS, ANSWERS, 5))
        assert found.metrics["logit_kd"].item() == pytest.approx(0, abs=1e-12)
        assert gradient.abs().max() < 1e-12


def test_the_padding_rows_of_a_head_are_left_out() -> None:
    """Two sizes of one family: the same tokens, another number of logits."""
    objective, wide = made({"name": "logit_kd", "cross_entropy_weight": 0}, vocabulary=TOKENS + 4)
    found, gradient = run(objective, wide, batch_of(ROWS, ANSWERS, 5))
    assert found.loss.item() > 0
    assert gradient.isfinite().all()
    objective, narrow = made({"name": "logit_kd", "cross_entropy_weight": 0})
    narrow.embed.weight.data = wide.embed.weight.data[:TOKENS].clone()
    narrow.head.weight.data = wide.head.weight.data[:TOKENS].clone()
    narrow.head.bias.data = wide.head.bias.data[:TOKENS].clone()
    same, _ = run(objective, narrow, batch_of(ROWS, ANSWERS, 5))
    assert same.loss.item() == pytest.approx(found.loss.item())


def stored_batch(batch: Batch, teacher: nn.Module, k: int) -> Batch:
    """What StoredCollator makes of the teacher's logits, here with float16 as it is stored."""
    answers = batch.teacher["labels"][:, 1:] != -100
    log_p = teacher(batch.teacher["input_ids"]).logits[:, :-1][answers].log_softmax(dim=-1)
    values, ids = log_p.topk(k)
    rest = (1 - values.exp().sum(dim=-1, keepdim=True)).clamp(min=0).log()
    logprobs = torch.cat([values, rest], dim=-1).detach().half()
    told = {"ids": ids.int(), "logprobs": logprobs.view(torch.int16)}
    return Batch(batch.inputs, batch.labels, batch.loss_tokens, told)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("divergence", ["forward_kl", "reverse_kl", "symmetric_kl", "js"])
def test_all_logits_stored_is_the_teacher_in_the_step(divergence: str, temperature: float) -> None:
    told = {"name": "logit_kd", "divergence": divergence, "temperature": temperature}
    objective, student = made(told)
    batch = batch_of(ROWS, ANSWERS, 5)
    live, gradient = run(objective, student, batch)
    objective, student = made(told | {"teacher": "stored"})
    kept, same = run(objective, student, stored_batch(batch, Small(2, 5), TOKENS))
    # float16 keeps eleven bits.
    assert kept.loss.item() == pytest.approx(live.loss.item(), rel=2e-3)
    assert same == pytest.approx(gradient, abs=2e-3)
    fewer, _ = run(objective, student, stored_batch(batch, Small(2, 5), 3))
    if temperature == 1:
        assert fewer.metrics["logit_kd"] <= kept.metrics["logit_kd"] + 1e-6


def test_the_bridge_is_the_students_while_it_is_trained_and_seeded() -> None:
    _, student = made({"name": "token_kd", "hidden_width": 3})
    _, again = made({"name": "token_kd", "hidden_width": 3})
    shapes = {k: tuple(v.shape) for k, v in student.get_submodule(BRIDGE).state_dict().items()}
    assert shapes == {"0.weight": (3, 4), "0.bias": (3,), "2.weight": (5, 3), "2.bias": (5,)}
    for name, value in student.get_submodule(BRIDGE).state_dict().items():
        assert value.equal(again.get_submodule(BRIDGE).state_dict()[name])


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("magic", "'sft', 'logit_kd', 'token_kd', 'joint'"),
        ({"name": "sft", "temperature": 2}, "Extra inputs"),
        ({"name": "token_kd", "teacher": "stored"}, "not hidden states"),
        ({"name": "joint", "teacher": "stored"}, "not hidden states"),
        ({"name": "logit_kd", "temperature": 0}, "greater than 0"),
        ({"name": "logit_kd", "divergence": "tv"}, "'forward_kl', 'reverse_kl'"),
        ({"name": "logit_kd", "top_k": 0}, "greater than 0"),
        ({"name": "joint", "token_weight": -1}, "greater than 0"),
    ],
)
def test_what_cannot_be_asked_for(told: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CONFIG.validate_python(told)


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_stored_logits_come_back_as_they_were(tokens: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored = TopLogits(
        rng.integers(0, 2**31 - 1, tokens, dtype=np.int32),
        rng.integers(0, 2**17, (tokens, k), dtype=np.int32),
        -rng.random((tokens, k + 1)).astype(np.float16) * 20,
    )
    back = TopLogits.from_bytes(stored.to_bytes())
    for name in ("chosen", "ids", "logprobs"):
        ours, theirs = getattr(stored, name), getattr(back, name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs)


def test_fewer_of_the_stored_logits_may_be_asked_for() -> None:
    probabilities = np.array([[0.5, 0.25, 0.125, 0.125]])
    stored = TopLogits(
        np.array([7], np.int32),
        np.array([[3, 1, 2]], np.int32),
        np.log(probabilities).astype(np.float16),
    )
    fewer = stored.narrowed(1)
    assert fewer.ids.tolist() == [[3]]
    assert np.exp(fewer.logprobs.astype(float)) == pytest.approx(np.array([[0.5, 0.5]]), rel=1e-3)
    assert stored.narrowed(9) is stored


@pytest.mark.parametrize("spoilt", [b"", b"L1", b"??" + bytes(20), "mark", "cut"])
def test_what_is_no_stored_logits_is_refused(spoilt: bytes | str) -> None:
    one = TopLogits(np.zeros(2, np.int32), np.zeros((2, 3), np.int32), np.zeros((2, 4), np.float16))
    whole = one.to_bytes()
    data = {"cut": whole[:-5], "mark": b"L9" + whole[2:]}.get(spoilt, spoilt)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="no stored logits"):
        TopLogits.from_bytes(data)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="do not belong together"):
        TopLogits(np.zeros(3, np.int32), one.ids, one.logprobs)
