"""The formats that `comd import` knows. Another one is a file with a reader, and a line here.

A reader takes the file and a progress callback and yields a SourceRecord or a BadRecord for each
record, in file order, without holding the file; `tests/platform/importers/test_import_contract.py`
tries every format that is registered.
"""

from __future__ import annotations

from dataclasses import dataclass

from comd_platform.importers.chat_files import read_chat_json, read_dataset, read_parquet
from comd_platform.importers.llava import read_llava
from comd_platform.importers.records import ImportFailed, Reader
from comd_platform.importers.scienceqa import read_scienceqa


@dataclass(frozen=True, slots=True)
class Format:
    """A file format: what the command line calls it, one line for its help, and its reader."""

    name: str
    description: str
    read: Reader


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("llava", "LLaVA instruction files: JSON or JSONL, conversations or QA", read_llava),
        Format("sharegpt", "ShareGPT conversations: JSON or JSONL", read_chat_json),
        Format("openai", "OpenAI chat messages: JSONL or JSON", read_chat_json),
        Format("parquet", "a Parquet file of conversations or questions", read_parquet),
        Format("hf", "a Hugging Face dataset on disk: a folder of Parquet or Arrow", read_dataset),
        Format("scienceqa", "ScienceQA's train split: problems.json", read_scienceqa),
    )
}


def find_format(name: str) -> Format:
    """The format called `name`. Raises ImportFailed for one that is not registered."""
    try:
        return FORMATS[name]
    except KeyError:
        known = ", ".join(sorted(FORMATS))
        raise ImportFailed(
            f"there is no format {name!r}", hint=f"Known formats: {known}."
        ) from None
