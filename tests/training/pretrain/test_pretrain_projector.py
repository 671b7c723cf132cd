"""The projector's own training: what carries loss, what moves, and what it is good for afterwards."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from comd_platform.config.load import ConfigError, parse_config
from comd_platform.config.stage1 import Stage1Config, load_stage1
from comd_platform.errors import ComdError
from comd_training.captions import picture_text, render_caption
from comd_training.collate import Collator, Item
from comd_training.examples import Dialogue, Turn, read_examples
from comd_training.failures import ConfigurationError
from comd_training.pretrain.projector import prepare
from comd_training.student import freeze

COLOURS = ("red", "green", "blue")


def write_pairs(path: Path, images: list[str]) -> Path:
    lines = (
        json.dumps({"image": name, "caption": f"a {COLOURS[at % 3]} house"})
        for at, name in enumerate(images)
    )
    path.write_text("\n".join(lines) + "\n")
    return path


def dialogue(caption: str) -> Dialogue:
    return Dialogue("d", "0.png", "before", (Turn("k", "", caption),))


def test_only_the_caption_carries_loss(tiny_processor: Any, pictures: Path) -> None:
    collator = Collator(tiny_processor, pictures, 64, frozenset({"</s>"}), layout="caption")
    captions = ["red house on top", "blue dog"]
    batch = collator([Item(dialogue(caption), carries_loss=True) for caption in captions])
    for row, caption in enumerate(captions):
        labels = batch["labels"][row]
        learned = batch["input_ids"][row][labels != -100]
        assert tiny_processor.tokenizer.decode(learned) == caption
    text = render_caption(tiny_processor, dialogue("red house")).text
    assert text == "<image>red house\n"


def test_the_picture_s_text_is_what_the_template_adds(tiny_processor: Any) -> None:
    class Marked:
        """Qwen-VL's manner: the token between marks."""

        image_token = "<pad>"

        def apply_chat_template(self, messages: list[dict[str, Any]]) -> str:
            parts = [
                "<v><pad></v>" if part["type"] == "image" else part["text"]
                for part in messages[0]["content"]
            ]
            return f"system <u>{''.join(parts)}<e>"

    assert picture_text(tiny_processor) == "<image>"
    assert picture_text(Marked()) == "<v><pad></v>"
    Marked.image_token = "<other>"
    with pytest.raises(ConfigurationError, match="without the image token"):
        picture_text(Marked())


def test_everything_but_the_projector_stays_bit_for_bit(
    tiny_model: Path, pictures: Path, tmp_path: Path
) -> None:
    """And the checkpoint is a student: it converses in the template that it had before."""
    from safetensors.torch import load_file

    pairs = write_pairs(tmp_path / "pairs.jsonl", [f"{n % 6}.png" for n in range(24)])
    out = tmp_path / "out"
    options = ["--images", str(pictures), "--model", str(tiny_model), "--out", str(out), "--json"]
    for value in ("precision=fp32", "epochs=20", "learning_rate=2e-2"):
        options += ["--set", f"training.{value}"]
    done = subprocess.run(
        [sys.executable, "-m", "comd_workers", "pretrain", "train", str(pairs), *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["pairs"], told["missing"], told["result"]["steps"]) == (24, 0, 30)
    checkpoint = out / "checkpoint"
    before = load_file(tiny_model / "model.safetensors")
    after = load_file(checkpoint / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {
        name for name in before if before[name].numpy().tobytes() != after[name].numpy().tobytes()
    }
    assert moved == {name for name in before if "multi_modal_projector" in name}
    assert told["result"]["frozen_tensors"] == len(before) - len(moved)
    metrics = (out / "metrics.jsonl").read_text()
    losses = [json.loads(line)["loss"] for line in metrics.splitlines()]
    assert losses[-1] < losses[0]
    template = "chat_template.jinja"
    assert (checkpoint / template).read_bytes() == (tiny_model / template).read_bytes()
    student = parse_config(
        {
            "name": "n",
            "pool": "p",
            "student": {"model": {"engine": "hf", "model": str(checkpoint)}},
        }
    ).engine("student")
    assert _answers(student, pictures / "0.png")


def _answers(config: Any, picture: Path) -> bool:
    from comd_workers.engines.base import Request, Sampling
    from comd_workers.engines.registry import open_engine

    with open_engine(config) as engine:
        asked = Request("k", "What colour is this ?", (picture,))
        (said,) = engine.generate([asked], Sampling(temperature=0.0, max_new_tokens=3))
    return said.finish_reason in {"stop", "length"}


def test_pictures_in_webdataset_shards_are_unpacked(pictures: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    with tarfile.open(shards / "00000.tar", "w") as tar:
        for name in ("0.png", "1.png", "2.png"):
            data = (pictures / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    pairs = write_pairs(tmp_path / "pairs.jsonl", ["00000.tar/0.png", "00000.tar/2.png"])
    prepared = prepare(pairs, shards, tmp_path / "out")
    unpacked = sorted(path.name for path in prepared.image_root.rglob("*.png"))
    assert unpacked == ["0.png", "2.png"]
    found = list(read_examples(prepared.examples))
    assert [each.turns[0].answer for each in found] == ["a red house", "a green house"]
    assert all((prepared.image_root / str(each.image)).is_file() for each in found)


def test_pairs_without_a_picture_are_named_or_left_out(pictures: Path, tmp_path: Path) -> None:
    pictures = Path(shutil.copytree(pictures, tmp_path / "pictures"))
    (pictures / "text.png").write_text("no picture")
    names = ["0.png", "gone.png", "text.png", "http://a/b.png", "../0.png"]
    pairs = write_pairs(tmp_path / "pairs.jsonl", names)
    with pytest.raises(
        ComdError, match=r"4 of 5 pairs have no usable picture: gone\.png"
    ) as caught:
        prepare(pairs, pictures, tmp_path / "out")
    assert "--skip-missing" in str(caught.value.hint)
    prepared = prepare(pairs, pictures, tmp_path / "out", skip_missing=True)
    assert (prepared.pairs, prepared.missing) == (1, 4)
    lonely = write_pairs(tmp_path / "gone.jsonl", ["gone.png"])
    with pytest.raises(ComdError, match="no pair with a picture"):
        prepare(lonely, pictures, tmp_path / "out", skip_missing=True)


def test_a_projector_of_another_name_is_said() -> None:
    import torch

    model = torch.nn.ModuleDict({"connector": torch.nn.Linear(1, 1), "head": torch.nn.Linear(1, 1)})
    asked = Stage1Config().training
    with pytest.raises(ConfigurationError, match=r"train_only names no parameter.*multi_modal"):
        freeze(model, asked)
    freeze(model, asked.model_copy(update={"train_only": ("connector",)}))
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert trained == {"connector.weight", "connector.bias"}


def test_the_paper_s_values_are_the_defaults() -> None:
    config = Stage1Config()
    assert config.training.learning_rate == 2e-3
    assert config.training.batch_size == 16
    assert config.training.warmup_ratio == 0.03
    assert config.training.epochs == 1
    assert (config.filter.minimum, config.filter.cap) == (3, 100)
    with pytest.raises(ConfigError, match=r"filter\.cap"):
        load_stage1(None, ["filter.cap=0"])
