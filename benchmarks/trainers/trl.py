"""TRL's SFTTrainer with its own collator for vision-language models. Prints the seconds of the steps
after the first ones."""

from __future__ import annotations

import sys
from pathlib import Path

# A script's own folder comes first on the path, and this file is called as the package is.
sys.path = [each for each in sys.path if Path(each).resolve() != Path(__file__).resolve().parent]

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from datasets import Image as ImageFeature  # noqa: E402
from transformers import AutoModelForImageTextToText, AutoProcessor  # noqa: E402
from trl import SFTConfig, SFTTrainer  # noqa: E402

sys.path.append(str(Path(__file__).resolve().parent))
from shared import Clock, conversation, lines  # noqa: E402


def main() -> None:
    room, steps, warm_up, batch = Path(sys.argv[1]), *map(int, sys.argv[2:])
    torch.set_num_threads(1)
    processor = AutoProcessor.from_pretrained(room / "model")
    model = AutoModelForImageTextToText.from_pretrained(room / "model")
    rows = [
        {"messages": conversation(row), "image": str(room / "pictures" / row["image"])}
        for row in lines(room)
    ]
    dataset = Dataset.from_list(rows).cast_column("image", ImageFeature())
    clock = Clock(warm_up)
    SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(room / "trl"),
            max_steps=steps + warm_up,
            per_device_train_batch_size=batch,
            learning_rate=2e-5,
            max_length=None,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            dataset_num_proc=1,
        ),
        train_dataset=dataset,
        processing_class=processor,
        callbacks=[clock],
    ).train()
    print(clock.seconds)


main()
