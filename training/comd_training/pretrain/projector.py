"""`pairs.jsonl` and a folder of pictures to a training of the projector alone (section 3.2)."""

from __future__ import annotations

import tarfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from comd_platform.config.stage1 import Stage1Config
from comd_platform.errors import ComdError
from comd_platform.images.names import ImageError, check_name
from comd_platform.importers.records import ImportFailed
from comd_training.examples import Dialogue, Turn, write_examples
from comd_training.memory.settle import settle
from comd_training.pretrain.pairs import BadPair, Pair, read_pairs
from comd_training.spec import TrainingSpec, training_device

SHOWN = 3
SAVE_EVERY = 600.0  # seconds: what a killed training loses at most


@dataclass(frozen=True, slots=True)
class Prepared:
    """The training set: where it is, where its pictures are, and how many pairs had none."""

    examples: Path
    image_root: Path
    pairs: int
    missing: int


def prepare(pairs: Path, images: Path, out: Path, *, skip_missing: bool = False) -> Prepared:
    """Write `out/examples.parquet`; pictures inside webdataset shards are unpacked to `out/images`.

    A pair's picture is a path under `images`, or `SHARD.tar/MEMBER` where that shard lies there.
    Raises ImportFailed for an unusable record, ComdError where pictures lack and `skip_missing` is
    not given, or where no pair is left.
    """
    found = list(_pairs(pairs))
    root = _unpacked(found, images, out) if any(_shard(pair) for pair in found) else images
    lacking = [(pair, why) for pair in found if (why := _lacks(root, pair.image))]
    if lacking and not skip_missing:
        shown = "; ".join(f"{pair.image}: {why}" for pair, why in lacking[:SHOWN])
        raise ComdError(
            f"{len(lacking):,} of {len(found):,} pairs have no usable picture: {shown}",
            hint="Check --images, or leave such pairs out: --skip-missing.",
        )
    left_out = {pair.key for pair, _ in lacking}
    usable = [pair for pair in found if pair.key not in left_out]
    if not usable:
        raise ComdError(f"{pairs} holds no pair with a picture under {images}")
    write_examples(out / "examples.parquet", map(_example, usable))
    return Prepared(out / "examples.parquet", root, len(usable), len(lacking))


def projector_spec(config: Stage1Config, model: str, prepared: Prepared, out: Path) -> TrainingSpec:
    """The training that `config` asks for, on this machine: its device and stage where they are auto.

    Raises ConfigurationError where no stage fits.
    """
    device = training_device(config.device)
    return TrainingSpec(
        examples=prepared.examples,
        image_root=prepared.image_root,
        model=model,
        revision=config.revision,
        output=out,
        seed=config.seed,
        device=device,
        processes=config.processes,
        save_every_seconds=SAVE_EVERY,
        layout="caption",
        hyperparameters=settle(config.training, model, config.revision, device, config.processes),
    )


def _pairs(path: Path) -> Iterator[Pair]:
    for found in read_pairs(path):
        if isinstance(found, BadPair):
            raise ImportFailed(f"{path}, record {found.position}: {found.reason}")
        yield found


def _example(pair: Pair) -> Dialogue:
    name = f"{pair.key:016x}"
    return Dialogue(name, pair.image, "before", (Turn(f"{name} ({pair.image})", "", pair.caption),))


def _lacks(root: Path, name: str) -> str | None:
    """Why there is no picture to learn from; None where there is. Reads its head, not its pixels."""
    try:
        with Image.open(root / check_name(name)):
            return None
    except ImageError as error:
        return error.message
    except UnidentifiedImageError:
        return "is no picture"
    except OSError as error:
        return error.strerror or str(error)


def _shard(pair: Pair) -> str | None:
    shard, inside, _ = pair.image.partition(".tar/")
    return f"{shard}.tar" if inside else None


def _unpacked(pairs: Sequence[Pair], images: Path, out: Path) -> Path:
    """The wanted members of each shard, under `out/images` by the names that pairs have."""
    root = (out / "images").absolute()
    wanted: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        shard = _shard(pair)
        if shard is None:
            raise ComdError(
                f"{pair.image} lies in no shard, others do",
                hint="Train on pictures in shards and pictures in folders one after the other.",
            )
        wanted[shard].add(pair.image.removeprefix(f"{shard}/"))
    for shard, members in sorted(wanted.items()):
        try:
            with tarfile.open(images / shard) as tar:
                for member in tar:
                    if member.name in members and member.isfile():
                        tar.extract(member, root / shard, filter="data")
        except FileNotFoundError:
            continue  # its pairs have no picture, and are told as such
        except tarfile.TarError as error:
            raise ImportFailed(f"{images / shard}: {error}") from error
    return root
