"""The same requests through bespokelabs-curator, as its documentation shows it; in its own environment.

    python curator_client.py URL TASKS IN_FLIGHT

Prints the seconds from the call of its LLM to its dataset; imports are not counted.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import sys
import tempfile
import time
from pathlib import Path

_litellm = importlib.util.find_spec("litellm")
assert _litellm
assert _litellm.origin
os.environ.update(
    OPENAI_API_KEY="none",
    TELEMETRY_ENABLED="false",
    CURATOR_DISABLE_RICH_DISPLAY="1",
    # It counts tokens; litellm, which it depends on, brings the table that it would download.
    TIKTOKEN_CACHE_DIR=str(Path(_litellm.origin).parent / "litellm_core_utils" / "tokenizers"),
)

from bespokelabs import curator  # noqa: E402
from datasets import Dataset  # noqa: E402


class Labeller(curator.LLM):
    """One question about one picture; the answer as it comes."""

    def prompt(self, row):  # type: ignore[no-untyped-def]
        content = base64.b64encode(Path(row["image"]).read_bytes()).decode()
        return row["text"], curator.types.Image(content=content)

    def parse(self, row, response):  # type: ignore[no-untyped-def]
        return {"text": row["text"], "answer": response}


def main() -> None:
    url, tasks_file, in_flight = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    tasks = [json.loads(line) for line in tasks_file.read_text().splitlines()]
    with tempfile.TemporaryDirectory() as room:
        os.environ["CURATOR_CACHE_DIR"] = room
        labeller = Labeller(
            model_name="fake",
            backend="openai",
            generation_params={"temperature": 0.5, "max_tokens": 512},
            backend_params={
                "base_url": url,
                "max_requests_per_minute": 10_000_000,
                "max_tokens_per_minute": 10_000_000_000,
                "max_concurrent_requests": in_flight,
            },
        )
        started = time.perf_counter()
        answers = labeller(Dataset.from_list(tasks))
        seconds = time.perf_counter() - started
        answers = getattr(answers, "dataset", answers)
        assert sum(bool(row) for row in answers["answer"]) == len(tasks)
    print(seconds)


if __name__ == "__main__":
    main()
