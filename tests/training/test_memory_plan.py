"""What a training takes of memory, against DeepSpeed's own estimators; what comes out for machines."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comd_platform.config.training import Hyperparameters
from comd_training.failures import ConfigurationError
from comd_training.memory import (
    Asked,
    Machine,
    ModelShape,
    NothingFits,
    choose,
    guess_shape,
    parse_parameters,
    plan,
    read_shape,
    settle,
)
from comd_training.memory.activations import activation_bytes
from comd_training.memory.settle import is_adapted
from comd_training.memory.shape import UnknownShape
from comd_training.memory.states import Weights, model_states
from comd_training.spec import TeacherSpec

CASES = [
    (parameters, largest, gpus)
    for parameters, largest in [
        (350_000_000, 16_000_000),
        (7_000_000_000, 131_000_000),
        (13_000_000_000, 164_000_000),
        (72_000_000_000, 1_246_000_000),
    ]
    for gpus in (1, 2, 6, 8)
]


def whole(parameters: int, largest: int) -> Weights:
    """Trained whole, in 16 bit: what DeepSpeed's estimators assume."""
    return Weights(parameters, parameters, largest, 2)


@pytest.mark.parametrize(("parameters", "largest", "gpus"), CASES)
@pytest.mark.parametrize("offload", ["none", "cpu"])
def test_zero_2_is_what_deepspeed_estimates(
    parameters: int, largest: int, gpus: int, offload: Any
) -> None:
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    theirs = estimate_zero2_model_states_mem_needs(parameters, gpus, 1, offload == "cpu")
    ours = model_states(whole(parameters, largest), 2, offload, "none", gpus, 1)
    assert (ours.cpu, ours.gpu) == (theirs[0], pytest.approx(theirs[1], abs=4))


@pytest.mark.parametrize(("parameters", "largest", "gpus"), CASES)
@pytest.mark.parametrize("nodes", [1, 2, 4])
@pytest.mark.parametrize("offload", [("none", "none"), ("cpu", "none"), ("cpu", "cpu")])
def test_zero_3_is_what_deepspeed_estimates(
    parameters: int, largest: int, gpus: int, nodes: int, offload: Any
) -> None:
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs

    optimizer, weights = offload
    theirs = estimate_zero3_model_states_mem_needs(
        parameters, largest, gpus, nodes, optimizer == "cpu", weights == "cpu", zero_init=True
    )
    ours = model_states(whole(parameters, largest), 3, optimizer, weights, gpus, nodes)
    assert (ours.cpu, ours.gpu) == (
        pytest.approx(theirs[0], abs=4),
        pytest.approx(theirs[1], abs=4),
    )


@pytest.mark.parametrize("nodes", [2, 4])
def test_a_node_offloads_its_share_only(nodes: int) -> None:
    """DeepSpeed counts all GPUs' loading against each node under ZeRO-2; never less than ours."""
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs

    theirs = estimate_zero2_model_states_mem_needs(7_000_000_000, 8, nodes, True)
    ours = model_states(whole(7_000_000_000, 131_000_000), 2, "cpu", "none", 8, nodes)
    assert ours.gpu == theirs[1]
    assert ours.cpu <= theirs[0]


V100S = Machine(gpus=6, gpu_gib=32, cpu_gib=384)
PAPER = Asked(sequence=2048, micro_batch=1, precision="fp16", checkpointing=True)


def test_the_papers_student_on_the_papers_machine() -> None:
    """7B on 6 x 32 GB V100: gradients and states of ZeRO-2 are too much, ZeRO-3 needs no offload."""
    planned = plan(guess_shape(parse_parameters("7B")), V100S, PAPER)
    assert planned.chosen is not None
    assert planned.chosen.name == "ZeRO-3"
    assert 20 < planned.chosen.gpu / 2**30 < 30
    by_name = {option.name: option.why for option in planned.options}
    assert by_name["ZeRO-2"] == by_name["ZeRO-1"] == "too large for the GPU"
    assert by_name["ZeRO-2, optimizer on cpu"] == ""


@pytest.mark.parametrize(
    ("size", "machine", "name"),
    [
        ("500M", Machine(1, 24), "ZeRO-1"),
        ("3B", Machine(1, 24, cpu_gib=128), "ZeRO-2, optimizer on cpu"),
        ("7B", Machine(8, 80), "ZeRO-1"),
        ("7B", Machine(1, 24, cpu_gib=256), "ZeRO-2, optimizer on cpu"),
        ("13B", Machine(8, 64), "ZeRO-2"),
        ("13B", V100S, "ZeRO-3, optimizer on cpu"),
        ("72B", Machine(8, 80, nodes=4, cpu_gib=1000), "ZeRO-3"),
        (
            "72B",
            Machine(8, 80, cpu_gib=900, nvme=True),
            "ZeRO-3, optimizer on nvme, weights on cpu",
        ),
    ],
)
def test_the_quickest_that_fits(size: str, machine: Machine, name: str) -> None:
    asked = replace(PAPER, precision="bf16")
    assert choose(guess_shape(parse_parameters(size)), machine, asked).name == name


def test_nothing_fits_says_what_would() -> None:
    with pytest.raises(NothingFits, match=r"72\.0B .* on 1 x 2 GPUs of 24 GiB, 64 GiB") as refused:
        choose(guess_shape(72 * 10**9), Machine(2, 24, cpu_gib=64), PAPER)
    assert refused.value.hint is not None
    assert "LoRA" in refused.value.hint
    assert "nvme" not in refused.value.hint  # it would not fit with it either
    long = replace(PAPER, micro_batch=16, checkpointing=False, sequence=8192)
    with pytest.raises(NothingFits) as refused:
        choose(guess_shape(7 * 10**9), Machine(8, 24), long)
    assert "lower micro_batch_size; turn gradient_checkpointing on" in str(refused.value.hint)


sizes = st.integers(10**6, 10**11)


@given(sizes, st.floats(0, 1), st.integers(1, 16), st.integers(1, 8), st.booleans())
def test_every_next_stage_and_offload_takes_less_of_the_card(
    parameters: int, share: float, gpus: int, nodes: int, kept: bool
) -> None:
    model = replace(guess_shape(parameters), trained=int(share * parameters))
    machine = Machine(gpus, 80, nodes)
    options = plan(model, machine, Asked(2048, 1, "bf16", not kept)).options
    states = [option.parameters + option.gradients + option.optimizer for option in options[:2]]
    assert states == sorted(states, reverse=True)
    by_name = {option.name: option for option in options}
    assert by_name["ZeRO-2, optimizer on cpu"].gpu <= by_name["ZeRO-2"].gpu
    assert by_name["ZeRO-3, optimizer on cpu"].gpu <= by_name["ZeRO-3"].gpu
    for option in options:
        assert min(option.parameters, option.gradients, option.optimizer, option.cpu) >= 0


def test_frozen_weights_and_adapters_take_no_states() -> None:
    model = guess_shape(7 * 10**9)
    adapted = model.with_lora(16)
    # 4 x (h + h) and 3 x (h + 8h/3) a layer, times the rank.
    assert adapted.trained == pytest.approx(40e6, rel=0.1)
    assert choose(adapted, Machine(1, 24), PAPER).name == "ZeRO-1"
    with pytest.raises(NothingFits):
        choose(model, Machine(1, 24, cpu_gib=64), PAPER)
    quantized = replace(PAPER, quantized=True)
    assert choose(adapted, Machine(1, 12), quantized).stage == 1
    assert {o.why for o in plan(adapted, Machine(1, 12), quantized).options if o.stage == 3} == {
        "4 bit weights cannot be divided"
    }


def test_checkpointing_keeps_less_and_fp32_twice_as_much() -> None:
    shape = guess_shape(7 * 10**9).transformer
    kept = activation_bytes(shape, 2048, 1, 2, checkpointing=False)
    twice = activation_bytes(shape, 2048, 1, 2, checkpointing=True)
    assert twice < kept / 7
    assert activation_bytes(shape, 2048, 1, 4, checkpointing=False) > 1.8 * kept
    assert activation_bytes(shape, 2048, 2, 2, checkpointing=True) == 2 * twice


@pytest.mark.parametrize(
    ("text", "number"), [("7B", 7e9), ("0.5b", 5e8), ("350M", 35e7), ("7000000000", 7e9)]
)
def test_sizes_as_people_write_them(text: str, number: float) -> None:
    assert parse_parameters(text) == number


@pytest.mark.parametrize("text", ["", "big", "-7B", "0", "7T"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UnknownShape, match="no number of parameters"):
        parse_parameters(text)


def test_a_guess_has_the_shape_that_models_have() -> None:
    for size, layers, hidden in [("7B", 32, 4096), ("13B", 40, 5120)]:
        guessed = guess_shape(parse_parameters(size)).transformer
        assert guessed.layers == pytest.approx(layers, rel=0.05)
        assert guessed.hidden == pytest.approx(hidden, rel=0.05)


def shape_of_tiny(model: Path) -> ModelShape:
    return read_shape(model, Hyperparameters().frozen, is_adapted)


def test_a_model_directory_is_read_by_its_headers(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(tiny_model, dtype=torch.float32)
    found = shape_of_tiny(tiny_model)
    assert found.total == model.num_parameters()
    frozen = sum(p.numel() for n, p in model.named_parameters() if "vision_tower" in n)
    assert found.trained == found.total - frozen
    assert (found.transformer.layers, found.transformer.hidden) == (2, 32)
    # 2 layers of q, k, v, o (32 x 32) and gate, up, down (32 x 64).
    assert found.with_lora(4).trained == 2 * 4 * (4 * 64 + 3 * 96)
    from deepspeed.runtime.zero.stage3 import model_to_params

    assert (found.total, found.largest_layer) == model_to_params(model)

    # Weights not there yet: the same from config.json alone, without memory.
    (tmp_path / "config.json").write_bytes((tiny_model / "config.json").read_bytes())
    assert replace(shape_of_tiny(tmp_path), adapted=()) == replace(found, adapted=())


def test_directories_that_tell_no_size(tmp_path: Path) -> None:
    with pytest.raises(UnknownShape, match="no config"):
        shape_of_tiny(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "no-such"}))
    with pytest.raises(UnknownShape, match="cannot build"):
        shape_of_tiny(tmp_path)


def test_auto_becomes_a_stage(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a tool that tells what NVIDIA's does: two cards, then none."""
    from comd_training.memory.settle import settle as settle_here

    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 32510\necho 32510\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    auto = Hyperparameters(zero_stage="auto")
    settled = settle_here(auto, str(tiny_model), None, "cuda", 2)
    assert (settled.zero_stage, settled.offload_optimizer) == (1, "none")
    assert settle is settle_here
    assert settle_here(auto, "not read", None, "cpu", 1).zero_stage == 1
    named = Hyperparameters(zero_stage=3)
    assert settle_here(named, "not read", None, "cuda", 64) is named
    with pytest.raises(ConfigurationError, match=r"4 processes .* 2 GPUs"):
        settle_here(auto, str(tiny_model), None, "cuda", 4)


def test_a_teacher_in_the_step_takes_its_place_on_every_card(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Cards that hold the student with little to spare; its like as a teacher, weights alone, is too
    much."""
    module = importlib.import_module("comd_training.memory.settle")
    auto, teacher = Hyperparameters(zero_stage="auto"), TeacherSpec(model=str(tiny_model))
    total = shape_of_tiny(tiny_model).total
    wide = TeacherSpec(model=str(tiny_model), dtype="float32")
    assert module.teacher_gib(teacher, auto) == pytest.approx(2 * total / 2**30)
    assert module.teacher_gib(wide, auto) == pytest.approx(4 * total / 2**30)
    alone = plan(
        module.shape_of(str(tiny_model), auto), Machine(1, 1000.0), module.memory_asked(auto, 1)
    )
    assert alone.chosen is not None
    least = min(option.gpu for option in alone.options) / 2**30
    enough = least + module.teacher_gib(teacher, auto) / 2
    monkeypatch.setattr(module, "cards", lambda: [enough])
    module.settle(auto, str(tiny_model), None, "cuda", 1)
    with pytest.raises(ConfigurationError, match="no ZeRO stage fits"):
        module.settle(auto, str(tiny_model), None, "cuda", 1, teacher=teacher)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"zero_stage": 2, "offload_optimizer": "cpu", "offload_parameters": "cpu"}, "stage 3"),
        ({"zero_stage": 2, "offload_optimizer": "nvme"}, "stage 3"),
        ({"zero_stage": 3, "offload_optimizer": "nvme"}, "nvme_path"),
        ({"zero_stage": 3, "offload_parameters": "cpu"}, "offload_optimizer"),
        ({"zero_stage": "auto", "offload_optimizer": "cpu"}, "leave offload"),
    ],
)
def test_offload_that_cannot_be(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Hyperparameters(**wrong)
