"""The same requests through distilabel, as its documentation shows it; in its own environment.

    python distilabel_client.py URL TASKS IN_FLIGHT

Prints the seconds from `pipeline.run` to its dataset; imports are not counted.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import GeneratorStep
from distilabel.steps.tasks import TextGenerationWithImage


class Tasks(GeneratorStep):
    """The tasks of a file, each picture encoded as it goes out."""

    path: str

    @property
    def outputs(self) -> list[str]:
        return ["instruction", "image"]

    def process(self, offset: int = 0):  # type: ignore[no-untyped-def]
        lines = Path(self.path).read_text().splitlines()[offset:]
        while lines:
            rows = [json.loads(line) for line in lines[: self.batch_size]]
            lines = lines[self.batch_size :]
            yield (
                [
                    {
                        "instruction": row["text"],
                        "image": base64.b64encode(Path(row["image"]).read_bytes()).decode(),
                    }
                    for row in rows
                ],
                not lines,
            )


def main() -> None:
    url, tasks_file, in_flight = sys.argv[1], sys.argv[2], int(sys.argv[3])
    count = len(Path(tasks_file).read_text().splitlines())
    with Pipeline(name="bench") as pipeline:
        tasks = Tasks(path=tasks_file, batch_size=in_flight)
        answer = TextGenerationWithImage(
            llm=OpenAILLM(
                model="fake",
                base_url=url,
                api_key="none",
                generation_kwargs={"temperature": 0.5, "max_new_tokens": 512},
            ),
            image_type="base64",
            input_batch_size=in_flight,
            add_raw_input=False,
            add_raw_output=False,
        )
        tasks >> answer
    started = time.perf_counter()
    dataset = pipeline.run(use_cache=False)["default"]["train"]
    seconds = time.perf_counter() - started
    assert sum(bool(row) for row in dataset["generation"]) == count
    print(seconds)


if __name__ == "__main__":
    main()
