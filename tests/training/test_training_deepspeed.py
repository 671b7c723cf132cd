"""Offload, optimizers and batches that do not divide, in real trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comd_training.deepspeed_setup import deepspeed_config
from comd_training.metrics import Metric
from comd_training.spec import TrainingSpec
from comd_training.supervise import TrainingFailed, TrainingResult, run_training

SpecOf = Callable[..., TrainingSpec]

pytestmark = pytest.mark.timeout(280)

OFFLOAD = {"zero_stage": 2, "offload_optimizer": "cpu"}


def train(
    spec: TrainingSpec, on_metric: Callable[[Metric], None] = lambda _: None
) -> tuple[TrainingResult, list[Metric]]:
    metrics: list[Metric] = []

    def record(metric: Metric) -> None:
        metrics.append(metric)
        on_metric(metric)

    return run_training(spec, on_metric=record, on_alive=lambda: None), metrics


@pytest.mark.parametrize("stage", [1, 2, 3])
@pytest.mark.parametrize("optimizer", ["none", "cpu", "nvme"])
@pytest.mark.parametrize("weights", ["none", "cpu", "nvme"])
def test_deepspeed_takes_every_configuration(
    spec_of: SpecOf, tmp_path: Path, stage: int, optimizer: str, weights: str
) -> None:
    """All that the config allows, through DeepSpeed's own reader; what it means by the words."""
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    asked = {
        "zero_stage": stage,
        "offload_optimizer": optimizer,
        "offload_parameters": weights,
        "nvme_path": tmp_path,
    }
    allowed = (stage == 3 or (optimizer != "nvme" and weights == "none")) and (
        weights == "none" or optimizer != "none"
    )
    if not allowed:
        with pytest.raises(ValueError, match="offload"):
            spec_of(**asked)
        return
    read = DeepSpeedZeroConfig(**deepspeed_config(spec_of(**asked))["zero_optimization"])
    assert read.stage == stage
    assert (read.offload_optimizer.device if read.offload_optimizer else "none") == optimizer
    assert (read.offload_param.device if read.offload_param else "none") == weights
    if optimizer == "nvme":
        assert read.offload_optimizer.nvme_path == tmp_path


@pytest.mark.full
def test_a_batch_that_does_not_divide_is_still_that_batch(spec_of: SpecOf) -> None:
    """5 dialogues in 6 places of two ranks: the same steps, losses and tokens as on one."""
    whole = train(spec_of("whole", batch_size=5))
    cut = train(spec_of("cut", batch_size=5, processes=2, micro_batch_size=1))
    assert [m.loss for m in cut[1]] == pytest.approx([m.loss for m in whole[1]], rel=1e-5)
    assert [m.loss_tokens for m in cut[1]] == [m.loss_tokens for m in whole[1]]
    assert cut[0].dialogues == whole[0].dialogues == 21


@pytest.mark.full
@pytest.mark.parametrize("where", [{}, {"zero_stage": 3, "offload_parameters": "cpu"}])
def test_states_beside_the_card_learn_the_same(spec_of: SpecOf, where: dict[str, Any]) -> None:
    """DeepSpeed's CPUAdam, compiled at first use (a minute): torch's losses, to rounding."""
    plain = train(spec_of("plain", zero_stage=2, epochs=4))
    moved = train(spec_of("moved", epochs=4, **(OFFLOAD | where)))
    assert [m.loss for m in moved[1]] == pytest.approx([m.loss for m in plain[1]], rel=1e-3)
    assert moved[1][-1].loss < 0.8 * moved[1][0].loss


@pytest.mark.full
def test_an_offloaded_training_goes_on_bit_for_bit(spec_of: SpecOf) -> None:
    import psutil

    whole = train(spec_of("whole", epochs=6, **OFFLOAD))
    spec = spec_of("cut", epochs=6, **OFFLOAD).model_copy(update={"save_every_steps": 4})

    def kill_at_7(metric: Metric) -> None:
        if metric.step == 7:
            psutil.Process(int((spec.output / ".pulse-0").read_text().split()[0])).kill()

    with pytest.raises(TrainingFailed, match="SIGKILL"):
        train(spec, kill_at_7)
    resumed = train(spec)
    assert [m.loss for m in resumed[1]] == [m.loss for m in whole[1]]
    assert resumed[0].weights_sha256 == whole[0].weights_sha256


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"attention": "flash_attention_2"}, "flash_attention_2 needs a GPU; use attention: sdpa"),
        ({"optimizer": "deepspeed"}, "FusedAdam, which needs a GPU"),
    ],
)
def test_what_this_machine_lacks_is_a_matter_of_configuration(
    spec_of: SpecOf, asked: dict[str, Any], why: str
) -> None:
    with pytest.raises(TrainingFailed, match=why) as failed:
        train(spec_of(**asked))
    assert failed.value.kind == "configuration"


def test_without_a_compiler_offload_says_what_to_do(
    spec_of: SpecOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "no-such-directory"))
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "extensions"))
    with pytest.raises(TrainingFailed, match="CPUAdam cannot be compiled here") as failed:
        run_training(
            spec_of(**OFFLOAD), on_metric=lambda _: None, on_alive=lambda: None, from_template=False
        )
    assert failed.value.kind == "configuration"
    assert "optimizer: torch does without" in failed.value.message
