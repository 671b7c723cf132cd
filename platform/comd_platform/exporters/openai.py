"""OpenAI's chat messages, a line a conversation; the picture is a part of the first message."""

from __future__ import annotations

from comd_platform.exporters.json_files import Record
from comd_platform.exporters.turns import Conversation


def openai_record(conversation: Conversation) -> Record:
    """One conversation. The URL of a picture is its path: a server's own file, or to be uploaded."""
    messages: list[Record] = []
    for number, row in enumerate(conversation.rows):
        content: object = row.question
        if number == 0 and conversation.image is not None:
            picture = {"type": "image_url", "image_url": {"url": conversation.image}}
            question = {"type": "text", "text": row.question}
            content = [picture, question] if conversation.image_first else [question, picture]
        messages.append({"role": "user", "content": content})
        if row.answer is not None:
            messages.append({"role": "assistant", "content": row.answer})
    metadata = {"id": conversation.id}
    if conversation.task_type is not None:
        metadata["task_type"] = conversation.task_type
    return {"messages": messages, "metadata": metadata}
