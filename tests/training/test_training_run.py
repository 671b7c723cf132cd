"""Real trainings: transformers' Trainer on DeepSpeed ZeRO, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from comd_training.checkpoint import FrozenWeightsChanged, keep_frozen
from comd_training.collate import Collator
from comd_training.examples import Dialogue, Turn
from comd_training.metrics import Metric
from comd_training.results import weights_sha256
from comd_training.spec import TrainingSpec
from comd_training.supervise import TrainingFailed, TrainingResult, run_training

SpecOf = Callable[..., TrainingSpec]

pytestmark = pytest.mark.timeout(240)


def train(spec: TrainingSpec, **how: object) -> tuple[TrainingResult, list[Metric]]:
    metrics: list[Metric] = []
    result = run_training(spec, on_metric=metrics.append, on_alive=lambda: None, **how)  # type: ignore[arg-type]
    return result, metrics


def tensors(model: Path) -> dict[str, object]:
    from safetensors.torch import load_file

    return dict(load_file(model / "model.safetensors"))


def test_a_training_without_a_compiler(
    spec_of: SpecOf, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loss falls, the vision tower stays bit for bit, the checkpoint loads and answers rightly."""
    monkeypatch.setenv("PATH", str(tmp_path / "no-such-directory"))
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    spec = spec_of(epochs=40, learning_rate=1e-2)
    alive: list[float] = []
    metrics: list[Metric] = []
    result = run_training(
        spec,
        on_metric=metrics.append,
        on_alive=lambda: alive.append(time.monotonic()),
        from_template=False,
    )

    assert [m.step for m in metrics] == list(range(1, 106))  # 21 dialogues x 40 / 8, rounded up
    assert metrics[-1].loss < 0.5 * metrics[0].loss
    assert metrics[-1].learning_rate < metrics[9].learning_rate
    # Two turns: (1 + 1) and (2 + 1) answer and stop tokens.
    assert [m.loss_tokens for m in metrics] == [40] * 105
    assert result.loss_tokens == 21 * 40 * 5
    assert result.tokens == sum(m.tokens for m in metrics)
    assert result.train_loss == pytest.approx(sum(m.loss for m in metrics) / 105)
    assert len(alive) >= 2

    before, after = tensors(tiny_model), tensors(result.checkpoint)
    assert before.keys() == after.keys()
    for name, value in before.items():
        same = bool((value == after[name]).all())  # type: ignore[attr-defined]
        assert same == ("vision_tower" in name), name
    assert result.frozen_tensors == sum("vision_tower" in name for name in before)
    assert result.weights_sha256 == weights_sha256(result.checkpoint)
    assert not list(spec.output.glob(".checkpoint*"))
    assert not list(result.checkpoint.rglob("*.bin"))
    assert json.loads((spec.output / "result.json").read_text())["steps"] == 105
    assert answers(result.checkpoint, spec.image_root) == ["red", "green", "blue"]

    # Asked again after a crash: the same result, the same lines, no training.
    again, lines = train(spec, timeout_s=0)
    assert (again, lines) == (result, metrics)

    other = spec.model_copy(update={"seed": 4})
    with pytest.raises(TrainingFailed, match="another spec") as refused:
        train(other)
    assert refused.value.kind == "configuration"


def answers(checkpoint: Path, images: Path) -> list[str]:
    """What the tuned model says the colour is, through its own processor and generate."""
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    torch.set_num_threads(1)
    processor = AutoProcessor.from_pretrained(checkpoint)
    model = AutoModelForImageTextToText.from_pretrained(checkpoint)
    said = []
    for number in range(3):
        content = [{"type": "image"}, {"type": "text", "text": "What colour is this ?"}]
        if number % 2 == 0:
            content.reverse()
        text = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True
        )
        given = processor(
            text=[text], images=[Image.open(images / f"{number}.png")], return_tensors="pt"
        )
        out = model.generate(**given, max_new_tokens=5, do_sample=False)
        assert out[0, -1] == processor.tokenizer.eos_token_id
        new = out[0, given["input_ids"].shape[1] :]
        said.append(processor.tokenizer.decode(new, skip_special_tokens=True))
    return said


def test_bad_data_names_its_instructions(spec_of: SpecOf) -> None:
    bad = [Dialogue("d", "0.png", "before", (Turn("the-bad-one", "who ?", "a </s> b"),))]
    spec = spec_of(dialogues=bad)
    with pytest.raises(TrainingFailed, match="the-bad-one") as caught:
        train(spec)
    assert caught.value.kind == "data"
    assert caught.value.instruction_keys == ("the-bad-one",)
    assert json.loads((spec.output / "failure.json").read_text())["kind"] == "data"
    assert "Traceback" in (spec.output / "train.log").read_text()
    assert not spec.checkpoint.exists()


def test_an_answer_that_would_carry_no_loss_is_named(spec_of: SpecOf, tiny_processor: Any) -> None:
    """Blank, or cut off: never a silent zero loss (LLaVA #1166)."""
    two = Dialogue("d", None, "before", (Turn("a", "who ?", "cat"), Turn("k", "who ?", "dog")))
    collator = Collator(tiny_processor, Path(), 256, frozenset({"</s>"}))
    short = len(collator.tokenise([two])[0].ids) - 1
    blank = Dialogue("d", None, "before", (Turn("a", "who ?", "cat"), Turn("k", "who ?", " \n")))
    for dialogue, max_length, why in [
        (blank, 256, "k: its answer is blank"),
        (two, short, f"k: its answer ends past max_length {short}"),
    ]:
        spec = spec_of(str(max_length), dialogues=[dialogue], max_length=max_length)
        with pytest.raises(TrainingFailed, match=why) as caught:
            train(spec)
        assert (caught.value.kind, caught.value.instruction_keys) == ("data", ("k",))
        assert not (spec.output / "metrics.jsonl").exists()


def test_a_directory_that_is_no_model_is_a_matter_of_configuration(
    spec_of: SpecOf, tmp_path: Path
) -> None:
    spec = spec_of().model_copy(update={"model": str(tmp_path)})
    with pytest.raises(TrainingFailed, match="cannot be loaded as a student") as caught:
        train(spec)
    assert caught.value.kind == "configuration"


def test_a_loss_that_runs_away_is_named(spec_of: SpecOf) -> None:
    spec = spec_of(learning_rate=1e30, max_steps=20, max_grad_norm=0, warmup_ratio=0.0)
    with pytest.raises(TrainingFailed) as caught:
        train(spec)
    assert caught.value.kind == "non_finite_loss"
    assert not spec.checkpoint.exists()


def running(spec: TrainingSpec) -> list[psutil.Process]:
    """Processes of this training that are still there: those that hold its lock."""
    found = []
    for process in psutil.process_iter():
        try:
            held = [file.path for file in process.open_files()]
        except psutil.Error:  # ended meanwhile, or somebody else's
            continue
        if str(spec.output / ".lock") in held and process.pid != os.getpid():
            found.append(process)
    return found


def test_stop_timeout_and_a_failing_listener_end_the_processes(spec_of: SpecOf) -> None:
    endless = spec_of("stop", max_steps=1_000_000)
    stop = threading.Event()
    with pytest.raises(TrainingFailed) as stopped:
        run_training(endless, on_metric=lambda _: stop.set(), on_alive=lambda: None, stop=stop)
    assert stopped.value.kind == "stopped"
    assert running(endless) == []

    with pytest.raises(TrainingFailed) as late:
        train(endless, timeout_s=0.5)
    assert late.value.kind == "timeout"
    assert running(endless) == []

    def lost() -> None:
        raise ConnectionError("the lease is lost")

    with pytest.raises(ConnectionError, match="lease"):
        run_training(endless, on_metric=lambda _: None, on_alive=lost)
    assert running(endless) == []
    assert not endless.checkpoint.exists()


def test_a_killed_training_is_named(spec_of: SpecOf) -> None:
    spec = spec_of(max_steps=1_000_000)

    def kill(_: Metric) -> None:
        for process in running(spec):
            process.send_signal(signal.SIGKILL)

    with pytest.raises(TrainingFailed, match="SIGKILL") as caught:
        run_training(spec, on_metric=kill, on_alive=lambda: None)
    assert caught.value.kind == "killed"


def test_a_training_dies_with_its_supervisor_and_can_be_started_again(spec_of: SpecOf) -> None:
    spec = spec_of(max_steps=1_000_000)
    (spec.output / "asked.json").write_text(spec.model_dump_json())
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from comd_training.spec import TrainingSpec; "
            "from comd_training.supervise import run_training; "
            "spec = TrainingSpec.model_validate_json(open(sys.argv[1]).read()); "
            "run_training(spec, on_metric=lambda m: print(m.step, flush=True), "
            "on_alive=lambda: None)",
            str(spec.output / "asked.json"),
        ],
        stdout=subprocess.PIPE,
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == b"1\n"
    assert len(running(spec)) == 1
    os.kill(supervisor.pid, signal.SIGKILL)
    supervisor.wait()
    supervisor.stdout.close()
    # Right away: the lock is the dying training's for another moment, then ours.
    with pytest.raises(TrainingFailed) as caught:
        train(spec, timeout_s=0)
    assert caught.value.kind == "timeout"
    _, left = psutil.wait_procs(running(spec), timeout=60)  # killed is not yet gone
    assert left == []


def test_frozen_tensors_in_another_precision_are_put_back(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    source = tensors(tiny_model)
    rounded = {name: value.to(torch.bfloat16) for name, value in source.items()}  # type: ignore[attr-defined]
    save_file(rounded, tmp_path / "model.safetensors")
    kept = keep_frozen(
        tmp_path, tiny_model, lambda name: "vision_tower" in name or "multi_modal_projector" in name
    )
    assert kept > 0
    for name, value in tensors(tmp_path).items():
        frozen = "vision_tower" in name or "multi_modal_projector" in name
        assert torch.equal(value, source[name] if frozen else rounded[name]), name  # type: ignore[call-overload]

    name = next(name for name in source if "vision_tower" in name)
    save_file({**source, name: source[name] + 1}, tmp_path / "model.safetensors")  # type: ignore[operator]
    with pytest.raises(FrozenWeightsChanged, match="vision_tower"):
        keep_frozen(tmp_path, tiny_model, lambda name: "vision_tower" in name)


@pytest.mark.full
@pytest.mark.parametrize("zero_stage", [1, 2, 3])
def test_ranks_and_micro_batches_do_not_change_the_losses(spec_of: SpecOf, zero_stage: int) -> None:
    whole = train(spec_of("whole", zero_stage=zero_stage))[1]
    cut = train(spec_of("cut", processes=2, micro_batch_size=2, zero_stage=zero_stage))[1]
    assert [m.loss for m in cut] == pytest.approx([m.loss for m in whole], rel=1e-5)
    assert [m.loss_tokens for m in cut] == [m.loss_tokens for m in whole]


@pytest.mark.full
@pytest.mark.parametrize("zero_stage", [2, 3])
def test_bf16_keeps_the_frozen_tower_in_its_own_precision(
    spec_of: SpecOf, tiny_model: Path, zero_stage: int
) -> None:
    import torch

    spec = spec_of(precision="bf16", zero_stage=zero_stage, gradient_checkpointing=True, epochs=6)
    result, metrics = train(spec)
    assert metrics[-1].loss < metrics[0].loss
    before, after = tensors(tiny_model), tensors(result.checkpoint)
    assert before.keys() == after.keys()
    for name, value in before.items():
        if "vision_tower" in name:
            assert torch.equal(value, after[name]), name  # type: ignore[call-overload]
        else:
            assert after[name].dtype == torch.bfloat16, name  # type: ignore[attr-defined]


def test_a_tied_tensor_that_is_written_out_is_compared_with_what_it_is_tied_to(
    tmp_path: Path,
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    source, saved = tmp_path / "source", tmp_path / "saved"
    source.mkdir()
    saved.mkdir()
    words = torch.randn(6, 4)
    save_file({"embed": words, "projector": torch.ones(4, 4)}, source / "model.safetensors")

    def write(head: torch.Tensor) -> None:
        embed = words.to(head.dtype)
        tensors = {"embed": embed, "lm_head": head, "projector": torch.zeros(4, 4)}
        save_file(tensors, saved / "model.safetensors")

    write(words.clone())
    assert keep_frozen(saved, source, lambda name: name != "projector") == 2
    # Trained in another precision: both get back the bits that they had.
    write(words.bfloat16())
    keep_frozen(saved, source, lambda name: name != "projector")
    assert load_file(saved / "model.safetensors")["lm_head"].equal(words)
    write(words + 1)
    with pytest.raises(FrozenWeightsChanged, match="nor one that it repeats"):
        keep_frozen(saved, source, lambda name: name != "projector")
