"""The dataset card of an exported folder: for people, and for `datasets.load_dataset`."""

from __future__ import annotations

from typing import Any

import yaml

_LOADING = {
    "llava": "LLaVA's own scripts: `--data_path data.json --image_folder .`",
    "sharegpt": "LLaMA-Factory: `dataset_dir` is this folder, `dataset` the name in "
    "`dataset_info.json`.",
    "openai": "Each line is a request's `messages`. The URL of a picture is its path in this folder.",
    "hf": '`datasets.load_dataset("THIS_FOLDER")`; `images` are decoded, `messages` keep the picture\'s '
    "place as `<image>`, `turns` tell where each question came from.",
    "parquet": "`pandas.read_parquet`, DuckDB's `read_parquet`; `parent` is the `id` that a question "
    "was written from, `generation` 0 is the seed.",
}


def dataset_card(manifest: dict[str, Any], description: str) -> str:
    """Markdown with the front matter that the Hugging Face hub and `datasets` read."""
    asked, counts = manifest["asked"], manifest["counts"]
    front = {
        "tags": ["comd", "distillation", "visual-instruction-tuning"],
        "task_categories": ["image-text-to-text"],
        "configs": [{"config_name": "default", "data_files": manifest["files"][0]["path"]}],
    }
    scope = "all instructions up to" if asked["scope"] == "cache" else "what was new in"
    lines = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---",
        f"# {manifest['run']}: {scope} iteration {asked['iteration']}",
        f"{description}. Written by {manifest['made_by']}.",
        "## What it holds",
        f"{counts['records']:,} records with {counts['turns']:,} questions about "
        f"{counts['images']:,} pictures.",
        _answers(manifest["answers"], counts["unanswered"]),
        _filters(asked["filters"]),
        _table("generation", "instructions", counts["generations"]),
        "Generation 0 was imported; each further one was written by the augmentor from the one "
        "before, for what the student found difficult.",
        _table("task type", "instructions", counts["task_types"]),
        "## How to read it",
        _LOADING[asked["format"]],
        "`manifest.json` has the request, counts, hashes and the run's whole config. The `id`s are "
        "comd's keys: the same instruction has the same one everywhere.",
        "## Licence",
        "comd does not know under which terms the pictures, the imported questions and the "
        "answers of the teacher may be used; whoever publishes this has to.",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def _answers(answers: dict[str, Any], unanswered: int) -> str:
    if answers["of"] == "none":
        return "Questions alone, without answers."
    model = f" (`{answers['model']}`)" if answers["model"] else ""
    left_out = f"; {unanswered:,} questions without one were left out" if unanswered else ""
    return f"Answers: {answers['of']}{model}{left_out}."


def _filters(filters: dict[str, Any]) -> str:
    said = [f"{name} = {value}" for name, value in filters.items() if value not in (None, (), [])]
    return f"Filtered: {'; '.join(said)}." if said else ""


def _table(name: str, value: str, counts: dict[Any, int]) -> str:
    rows = "\n".join(f"| {key} | {count:,} |" for key, count in counts.items())
    return f"| {name} | {value} |\n|---|---:|\n{rows}"
