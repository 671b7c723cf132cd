"""One call of a chat-completions server, tried again as long as trying again may help."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import os
import random
import time
from typing import Any

import httpx

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import EngineError

_log = logging.getLogger(__name__)

_LONGEST_BACKOFF_S = 60.0
_LONGEST_RETRY_AFTER_S = 600.0
_RETRIED = {408, 409, 425, 429}
_FATAL = {401, 402, 403, 404, 405}
# Codes in the body of a 400 or 429 that no waiting and no other request will change.
_FATAL_CODES = {"insufficient_quota", "model_not_found", "invalid_api_key"}


class RequestError(Exception):
    """This request cannot be answered; others may."""


class _TryAgainError(Exception):
    """What went wrong may pass. `wait_s`: how long the server asked us to wait."""

    def __init__(self, message: str, *, wait_s: float | None = None, offline: bool = False) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        self.offline = offline


class Server:
    """What all lanes to one server share: the key, which stays in here and out of every message,
    and how long the server wants to be left alone."""

    def __init__(self, config: OpenAIConfig, api_key: str | None) -> None:
        self.config = config
        self.url = f"{config.base_url}/chat/completions"
        self.resume_at = 0.0
        self._secret = api_key
        self._tls = httpx.create_ssl_context()

    def connect(self) -> httpx.AsyncClient:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._secret is not None:
            headers["Authorization"] = f"Bearer {self._secret}"
        return httpx.AsyncClient(
            headers=headers,
            verify=self._tls,  # made once: it costs more than a connection
            timeout=None,  # noqa: S113 - each attempt as a whole has one
            limits=httpx.Limits(max_connections=1),
        )

    def clean(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text


class Lane:
    """One connection, one call at a time.

    A lane per request in flight rather than one client for all: the pool of httpcore looks at every
    connection for every request, which at 256 in flight made a request four times as dear.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._config = server.config
        self._http = server.connect()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """The reply to `body`, a JSON object.

        Raises RequestError when this body gets none, EngineError when none would: the key or the
        model is wrong, or nobody listens there.
        """
        content = json.dumps(body).encode()
        last = _TryAgainError("never tried")
        for attempt in range(self._config.max_retries + 1):
            if attempt:
                await self._wait(attempt, last)
            await asyncio.sleep(max(0.0, self._server.resume_at - time.monotonic()))
            try:
                return await self._attempt(content)
            except _TryAgainError as error:
                last = error
                _log.debug("attempt %d: %s", attempt + 1, error)
        message = f"gave up after {self._config.max_retries + 1} attempts: {last}"
        if last.offline:
            raise EngineError(f"{self._server.url}: {message}")
        raise RequestError(message)

    async def _attempt(self, content: bytes) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._config.timeout_s):
                response = await self._http.post(self._server.url, content=content)
        except asyncio.CancelledError:
            await self._reconnect()
            raise
        except TimeoutError:
            await self._reconnect()
            raise _TryAgainError(f"no answer within {self._config.timeout_s:g} s") from None
        except httpx.ConnectError as error:
            raise _TryAgainError(
                self._server.clean(f"cannot connect: {error}"), offline=True
            ) from None
        except httpx.RequestError as error:
            name = type(error).__name__
            raise _TryAgainError(self._server.clean(f"connection lost ({name}): {error}")) from None
        if response.status_code != httpx.codes.OK:
            raise self._refusal(response)
        try:
            reply = response.json()
        except ValueError:
            raise _TryAgainError("the server's reply is not JSON") from None
        if not isinstance(reply, dict):
            raise _TryAgainError("the server's reply is not a JSON object")
        if "choices" not in reply and "error" in reply:
            raise RequestError(
                self._server.clean(f"the server answered with an error: {_message(reply)}")
            )
        return reply

    async def _reconnect(self) -> None:
        """A call that was interrupted leaves httpcore's pool holding its connection for good."""
        broken, self._http = self._http, self._server.connect()
        await broken.aclose()

    def _refusal(self, response: httpx.Response) -> Exception:
        """What a status other than 200 means for us."""
        try:
            payload = response.json()
        except ValueError:
            payload = None
        status = response.status_code
        said = self._server.clean(f"HTTP {status}: {_message(payload) or response.text[:300]}")
        if status in _FATAL or response.is_redirect or _code(payload) in _FATAL_CODES:
            return EngineError(f"{self._server.url}, model {self._config.model}: {said}")
        if status in _RETRIED or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return _TryAgainError(said, wait_s=retry_after(response.headers.get("Retry-After")))
        return RequestError(said)

    async def _wait(self, attempt: int, last: _TryAgainError) -> None:
        """Exponential backoff with jitter; a Retry-After holds every request back, not this alone."""
        if last.wait_s is not None:
            wait = min(last.wait_s, _LONGEST_RETRY_AFTER_S)
            self._server.resume_at = max(self._server.resume_at, time.monotonic() + wait)
            return
        longest = min(self._config.backoff_s * 2 ** (attempt - 1), _LONGEST_BACKOFF_S)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def api_key(config: OpenAIConfig) -> str | None:
    """The key from the environment. Raises EngineError naming the variable when it is not set."""
    if config.api_key_env is None:
        return None
    key = os.environ.get(config.api_key_env, "").strip()
    if not key:
        raise EngineError(
            f"the environment variable {config.api_key_env} is not set; set it, or "
            "`api_key_env: null` for a server that needs no key"
        )
    if not key.isascii():
        raise EngineError(f"the key in {config.api_key_env} holds letters that no header can carry")
    return key


def retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, as number or date; None if it asks nothing."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None


def _message(payload: Any) -> str:
    """The message of an OpenAI-style error body, "" where there is none."""
    error = payload.get("error", payload) if isinstance(payload, dict) else None
    if isinstance(error, dict):
        return str(error.get("message", ""))
    return error if isinstance(error, str) else ""


def _code(payload: Any) -> str | None:
    error = payload.get("error") if isinstance(payload, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None
