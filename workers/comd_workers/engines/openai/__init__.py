"""Any server that speaks OpenAI's chat completions.

messages: a request as a body, a reply as a completion. urls: pictures as they are sent. encoding: a
body as JSON. client: one call with its retries. scoring: the likelihood of given answers. engine: the
contract, many calls in flight.
"""

from __future__ import annotations

from comd_workers.engines.openai.engine import OpenAIEngine, open_engine

__all__ = ["OpenAIEngine", "open_engine"]
