"""The formats that a pool can be exported to. Another one is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from comd_platform.errors import ComdError
from comd_platform.exporters.json_files import json_writer
from comd_platform.exporters.llava import llava_record
from comd_platform.exporters.openai import openai_record
from comd_platform.exporters.parquet import WithPictures, write_flat
from comd_platform.exporters.rows import Row
from comd_platform.exporters.sharegpt import sharegpt_record
from comd_platform.exporters.turns import Layout

Writer = Callable[[Path, Iterable[list[Row]], Layout, int], int]
"""(file, the instructions of each picture, layout, seed) -> records written."""


class ExportError(ComdError):
    """A pool that cannot be exported as asked."""


@dataclass(frozen=True, slots=True)
class Format:
    """An export format: what the command line calls it, one line for its help, the name of its file
    in an exported folder, and its writer for an image root. `embeds`: the file holds the pictures."""

    name: str
    description: str
    file: str
    writer: Callable[[Path], Writer]
    embeds: bool = False


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "llava",
            "LLaVA conversations, JSON",
            "data.json",
            lambda _: json_writer(llava_record),
        ),
        Format(
            "sharegpt",
            "ShareGPT conversations, JSON, with LLaMA-Factory's dataset_info.json",
            "data.json",
            lambda _: json_writer(sharegpt_record),
        ),
        Format(
            "openai",
            "OpenAI chat messages, JSON lines",
            "data.jsonl",
            lambda _: json_writer(openai_record),
        ),
        Format(
            "hf",
            "a Hugging Face dataset: Parquet with the pictures inside",
            "data/train-00000-of-00001.parquet",
            WithPictures,
            embeds=True,
        ),
        Format(
            "parquet",
            "a flat Parquet table, an instruction a row, for pandas and DuckDB",
            "data.parquet",
            lambda _: write_flat,
        ),
    )
}


def find_format(name: str) -> Format:
    """The format called `name`. Raises ExportError for one that is not registered."""
    try:
        return FORMATS[name]
    except KeyError:
        known = ", ".join(sorted(FORMATS))
        raise ExportError(f"there is no format {name!r}", hint=f"Known formats: {known}.") from None
