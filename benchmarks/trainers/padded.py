"""transformers' Trainer as its documentation shows it for a vision-language model: a collator that
runs the processor with padding. Prints the seconds of the steps after the first ones."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from shared import Clock, conversation, read
from transformers import AutoModelForImageTextToText, AutoProcessor, Trainer, TrainingArguments


def main() -> None:
    room, steps, warm_up, batch = Path(sys.argv[1]), *map(int, sys.argv[2:])
    torch.set_num_threads(1)
    processor = AutoProcessor.from_pretrained(room / "model")
    model = AutoModelForImageTextToText.from_pretrained(room / "model")
    image = processor.image_token_id

    def collate(rows):
        texts = [processor.apply_chat_template(conversation(row)) for row in rows]
        given = processor(
            text=texts, images=[[row["image"]] for row in rows], padding=True, return_tensors="pt"
        )
        labels = given["input_ids"].clone()
        labels[(given["attention_mask"] == 0) | (labels == image)] = -100
        return given | {"labels": labels}

    clock = Clock(warm_up)
    Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(room / "padded"),
            max_steps=steps + warm_up,
            per_device_train_batch_size=batch,
            learning_rate=2e-5,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            use_cpu=True,
        ),
        data_collator=collate,
        train_dataset=read(room),
        callbacks=[clock],
    ).train()
    print(clock.seconds)


main()
