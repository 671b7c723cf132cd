"""Adapters: what is trained, what is saved, what goes on from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from comd_training.metrics import Metric
from comd_training.spec import TrainingSpec
from comd_training.supervise import TrainingFailed, TrainingResult, run_training

SpecOf = Callable[..., TrainingSpec]

pytestmark = pytest.mark.timeout(280)

LORA: dict[str, Any] = {"lora": {"rank": 4, "alpha": 8}, "learning_rate": 3e-2}


def train(
    spec: TrainingSpec, on_metric: Callable[[Metric], None] = lambda _: None
) -> tuple[TrainingResult, list[Metric]]:
    metrics: list[Metric] = []

    def record(metric: Metric) -> None:
        metrics.append(metric)
        on_metric(metric)

    return run_training(spec, on_metric=record, on_alive=lambda: None), metrics


def tensors(path: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def logits(model: Any, processor: Any, images: Path) -> Any:
    import torch
    from PIL import Image

    content = [{"type": "image"}, {"type": "text", "text": "What colour is this ?"}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    given = processor(text=[text], images=[Image.open(images / "0.png")], return_tensors="pt")
    with torch.no_grad():
        return model.eval()(**given).logits


@pytest.mark.filterwarnings("ignore::FutureWarning")  # peft's, of transformers
def test_an_adapter_is_trained_merged_and_gone_on_from(
    spec_of: SpecOf, tiny_model: Path, pictures: Path
) -> None:
    import peft
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    result, metrics = train(spec_of("first", epochs=12, **LORA))
    # Not far: the words that a random model's head can tell apart are what they are.
    assert metrics[-1].loss < metrics[0].loss - 0.3

    # Of the weights, the language model's linear layers changed, and nothing else.
    before = tensors(tiny_model / "model.safetensors")
    after = tensors(result.checkpoint / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert {name.split(".")[-2] for name in changed} == {
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    }  # fmt: skip
    assert len(changed) == 2 * 7
    assert not [name for name in changed if "vision" in name]
    assert result.frozen_tensors == len(before) - len(changed)

    # The adapter beside them, on the model started from, says what the merged weights say.
    adapter = result.checkpoint / "adapter"
    assert json.loads((adapter / "adapter_config.json").read_text())["r"] == 4
    assert not list(result.checkpoint.rglob("*.bin"))
    processor = AutoProcessor.from_pretrained(result.checkpoint)
    base = AutoModelForImageTextToText.from_pretrained(tiny_model)
    merged = AutoModelForImageTextToText.from_pretrained(result.checkpoint)
    plain = logits(base, processor, pictures)
    with_adapter = logits(peft.PeftModel.from_pretrained(base, adapter), processor, pictures)
    torch.testing.assert_close(with_adapter, logits(merged, processor, pictures))
    assert not torch.allclose(with_adapter, plain, atol=1e-2)

    # The next iteration starts from the merged weights, with an adapter of its own.
    second = spec_of("second", epochs=4, **LORA).model_copy(
        update={"model": str(result.checkpoint)}
    )
    further, more = train(second)
    assert more[0].loss == pytest.approx(metrics[-1].loss, abs=0.1)
    assert (further.checkpoint / "adapter" / "adapter_model.safetensors").exists()


def test_an_adapters_training_goes_on_bit_for_bit(spec_of: SpecOf) -> None:
    asked = LORA | {"lora": {"rank": 2, "alpha": 4, "dropout": 0.1, "targets": ("q_proj",)}}
    whole = train(spec_of("whole", epochs=5, **asked))
    spec = spec_of("cut", epochs=5, **asked).model_copy(update={"save_every_steps": 4})

    def kill_at_6(metric: Metric) -> None:
        if metric.step == 6:
            psutil.Process(int((spec.output / ".pulse-0").read_text().split()[0])).kill()

    with pytest.raises(TrainingFailed, match="SIGKILL"):
        train(spec, kill_at_6)
    # What is frozen is not saved again and again.
    (state,) = spec.output.glob("resume/step-*/global_step*/mp_rank_00_model_states.pt")
    assert state.stat().st_size < 60_000
    resumed = train(spec)
    assert [m.loss for m in resumed[1]] == [m.loss for m in whole[1]]
    assert resumed[0].weights_sha256 == whole[0].weights_sha256


@pytest.mark.full
@pytest.mark.parametrize("zero_stage", [2, 3])
def test_adapters_on_two_ranks_in_bf16(spec_of: SpecOf, zero_stage: int, tiny_model: Path) -> None:
    import torch

    how = LORA | {"zero_stage": zero_stage, "gradient_checkpointing": True}
    whole = train(spec_of("whole", **how))[1]
    cut = train(spec_of("cut", processes=2, micro_batch_size=2, **how))[1]
    assert [m.loss for m in cut] == pytest.approx([m.loss for m in whole], rel=1e-4)
    half = train(spec_of("half", epochs=4, precision="bf16", processes=2, **how))
    assert half[1][-1].loss < half[1][0].loss
    stored = tensors(half[0].checkpoint / "model.safetensors")
    # Merged into the weights as they are stored, not as they were trained beside.
    assert {value.dtype for value in stored.values()} == {torch.float32}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"targets": ("c_attn",)}, r"c_attn.*no linear layers.*down_proj, gate_proj"),
        ({"quantize": True}, "QLoRA.*needs a GPU"),
    ],
)
def test_adapters_that_cannot_be(spec_of: SpecOf, asked: dict[str, Any], why: str) -> None:
    with pytest.raises(TrainingFailed, match=why) as failed:
        train(spec_of(lora=asked))
    assert failed.value.kind == "configuration"


def test_what_contradicts_itself_is_refused(spec_of: SpecOf) -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        spec_of(lora={"quantize": True}, zero_stage=3)
    with pytest.raises(ValueError, match="train_only and lora"):
        spec_of(lora={}, train_only=("multi_modal_projector",))
