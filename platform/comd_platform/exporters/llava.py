"""LLaVA's conversation records: {"id", "image"?, "task_type"?, "conversations": [{"from", "value"}]}."""

from __future__ import annotations

from comd_platform.exporters.json_files import Record
from comd_platform.exporters.turns import Conversation


def llava_record(conversation: Conversation) -> Record:
    """One conversation. A task type stands where the turns agree."""
    record: Record = {"id": conversation.id}
    if conversation.image is not None:
        record["image"] = conversation.image
    if conversation.task_type is not None:
        record["task_type"] = conversation.task_type
    record["conversations"] = [
        {"from": speaker, "value": value} for speaker, value in conversation.said()
    ]
    return record
