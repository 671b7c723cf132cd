"""Which library should the openai engine speak through? Each in a process of its own, against a fake
server in another one that takes 50 ms a request.

Not part of `make bench`: it needs what comd does not (pip install 'openai[aiohttp]'). What was
chosen by it, and when, is in docs/engines.md.

    python benchmarks/openai_clients.py --requests 1000 --in-flight 256 --rounds 3
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

DELAY_S = 0.05
REPLY = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "a word"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
}

Ask = Callable[[dict[str, Any]], Awaitable[Any]]


def serve() -> None:
    """Print the port, then answer until killed."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(DELAY_S)
        return web.json_response(REPLY)

    async def main() -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[union-attr]
        await asyncio.Event().wait()

    asyncio.run(main())


async def bare_aiohttp(url: str, bodies: list[dict[str, Any]], in_flight: int) -> None:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(body: dict[str, Any]) -> Any:
            content = json.dumps(body).encode()
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{url}/chat/completions", data=content, headers=headers) as r:
                return json.loads(await r.read())

        await at_once(ask, bodies, in_flight)


async def httpx_one_client(url: str, bodies: list[dict[str, Any]], in_flight: int) -> None:
    import httpx

    limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
    async with httpx.AsyncClient(limits=limits, timeout=None) as client:

        async def ask(body: dict[str, Any]) -> Any:
            return (await client.post(f"{url}/chat/completions", json=body)).json()

        await at_once(ask, bodies, in_flight)


async def openai_httpx(url: str, bodies: list[dict[str, Any]], in_flight: int) -> None:
    await _openai(url, bodies, in_flight, {})


async def openai_aiohttp(url: str, bodies: list[dict[str, Any]], in_flight: int) -> None:
    from openai import DefaultAioHttpClient

    await _openai(url, bodies, in_flight, {"http_client": DefaultAioHttpClient()})


async def _openai(
    url: str, bodies: list[dict[str, Any]], in_flight: int, options: dict[str, Any]
) -> None:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", timeout=600, **options) as client:

        async def ask(body: dict[str, Any]) -> Any:
            return await client.chat.completions.create(**body)

        await at_once(ask, bodies, in_flight)


async def at_once(ask: Ask, bodies: list[dict[str, Any]], in_flight: int) -> None:
    left = iter(bodies)

    async def drain() -> None:
        for body in left:
            await ask(body)

    await asyncio.gather(*(drain() for _ in range(in_flight)))


def comd(url: str, count: int, in_flight: int, picture: Path | None) -> None:
    """The whole engine: requests in, completions out."""
    from comd_platform.config.engines import OpenAIConfig
    from comd_workers.engines.base import Request, Sampling
    from comd_workers.engines.registry import open_engine

    config = OpenAIConfig(model="m", base_url=url, api_key_env=None, concurrency=in_flight)
    images = (picture,) if picture else ()
    requests = [Request(str(i), f"Question {i}?", images, seed=i) for i in range(count)]
    with open_engine(config) as engine:
        said = list(engine.generate(requests, Sampling()))
    assert [each.error for each in said] == [None] * count


PEERS = {
    "bare aiohttp": bare_aiohttp,
    "openai, aiohttp transport": openai_aiohttp,
    "openai, its own transport": openai_httpx,
    "httpx, one client": httpx_one_client,
}


def play(name: str, url: str, count: int, in_flight: int, picture: Path | None) -> None:
    """One contender, in this process; prints (seconds, CPU seconds) without imports' share of CPU."""
    if name == "comd":
        run: Callable[[], None] = lambda: comd(url, count, in_flight, picture)  # noqa: E731
    else:
        content: Any = "Question?"
        if picture:
            data = base64.b64encode(picture.read_bytes()).decode()
            shown = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{data}"}}
            content = [shown, {"type": "text", "text": content}]
        body = {"model": "m", "messages": [{"role": "user", "content": content}], "max_tokens": 512}
        run = lambda: asyncio.run(PEERS[name](url, [body] * count, in_flight))  # noqa: E731
    began, cpu = time.perf_counter(), time.process_time()
    run()
    print(json.dumps([time.perf_counter() - began, time.process_time() - cpu]))


def main() -> None:
    options = arguments()
    if options.serve:
        serve()
    elif options.play:
        play(options.play, options.url, options.requests, options.in_flight, options.picture)
    else:
        compare(options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    everyone = ["comd", *PEERS]
    parser.add_argument("--clients", nargs="+", choices=everyone, default=everyone)
    parser.add_argument("--picture", type=Path, help="a JPEG file that every request shows")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--play", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(options: argparse.Namespace) -> None:
    names = options.clients
    taken: dict[str, list[list[float]]] = {name: [] for name in names}
    again = [sys.executable, __file__]
    again += ["--requests", str(options.requests), "--in-flight", str(options.in_flight)]
    if options.picture:
        again += ["--picture", str(options.picture)]
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        try:
            for turn in range(options.rounds):
                first = turn % len(names)
                for name in names[first:] + names[:first]:
                    command = [*again, "--play", name, "--url", url]
                    taken[name].append(json.loads(subprocess.check_output(command)))
        finally:
            server.kill()
    print("| client | requests/s | CPU ms a request |\n| --- | --- | --- |")
    for name, rounds in taken.items():
        wall = statistics.median(seconds for seconds, _ in rounds)
        cpu = statistics.median(seconds for _, seconds in rounds)
        print(f"| {name} | {options.requests / wall:,.0f} | {1000 * cpu / options.requests:.2f} |")
    versions = {name: importlib.metadata.version(name) for name in ("openai", "aiohttp", "httpx")}
    print(f"\n{versions}; load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
