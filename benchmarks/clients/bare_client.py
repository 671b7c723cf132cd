"""aiohttp and nothing else: reads, encodes, asks, keeps the answers in memory.

    python bare_client.py URL TASKS IN_FLIGHT

TASKS: a JSON line a request, {"text", "image"}. Prints the seconds from the first request to the last
answer.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from pathlib import Path

import aiohttp


async def ask_all(url: str, tasks: list[dict[str, str]], in_flight: int) -> list[str]:
    left = iter(tasks)
    answers: list[str] = []
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def drain() -> None:
            for task in left:
                data = base64.b64encode(Path(task["image"]).read_bytes()).decode()
                shown = {
                    "type": "image_url",
                    "image_url": {"url": f"data:image/jpeg;base64,{data}"},
                }
                content = [shown, {"type": "text", "text": task["text"]}]
                body = {
                    "model": "fake",
                    "messages": [{"role": "user", "content": content}],
                    "temperature": 0.5,
                    "max_tokens": 512,
                }
                async with session.post(
                    f"{url}/chat/completions",
                    data=json.dumps(body).encode(),
                    headers={"Content-Type": "application/json"},
                ) as response:
                    reply = json.loads(await response.read())
                answers.append(reply["choices"][0]["message"]["content"])

        await asyncio.gather(*(drain() for _ in range(in_flight)))
    return answers


def main() -> None:
    url, tasks_file, in_flight = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    tasks = [json.loads(line) for line in tasks_file.read_text().splitlines()]
    started = time.perf_counter()
    answers = asyncio.run(ask_all(url, tasks, in_flight))
    seconds = time.perf_counter() - started
    assert len(answers) == len(tasks)
    print(seconds)


if __name__ == "__main__":
    main()
