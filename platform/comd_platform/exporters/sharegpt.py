"""ShareGPT records as LLaMA-Factory and others read them: {"conversations", "images", "id"}."""

from __future__ import annotations

from comd_platform.exporters.json_files import Record
from comd_platform.exporters.turns import Conversation


def sharegpt_record(conversation: Conversation) -> Record:
    """One conversation; every record has the same columns, so that Arrow can infer them."""
    return {
        "id": conversation.id,
        "conversations": [
            {"from": speaker, "value": value} for speaker, value in conversation.said()
        ],
        "images": [] if conversation.image is None else [conversation.image],
        "task_type": conversation.task_type or "",
    }


def dataset_info(name: str, file: str) -> Record:
    """LLaMA-Factory's `dataset_info.json`: picture paths count from the folder that holds it."""
    return {
        name: {
            "file_name": file,
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
    }
