"""One call of a chat-completions server, tried again as long as trying again may help."""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import os
import random
import ssl
import time
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from comd_platform.config.engines import OpenAIConfig
from comd_workers.engines.base import EngineError
from comd_workers.engines.openai.encoding import encoded
from comd_workers.engines.openai.pace import Call, Pace

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


class Client:
    """Calls of one server, any number at a time, over connections that are kept.

    The key stays in here and out of every message. To be made and closed inside an event loop.
    """

    def __init__(self, config: OpenAIConfig, secret: str | None, pace: Pace) -> None:
        self._config = config
        self._pace = pace
        self._secret = secret
        self._url = f"{config.base_url}/chat/completions"
        self._resume_at = 0.0
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if secret is not None:
            headers["Authorization"] = f"Bearer {secret}"
        self._http = aiohttp.ClientSession(
            headers=headers,
            connector=_connector(config.base_url),
            timeout=aiohttp.ClientTimeout(total=None),  # each attempt as a whole has one
            cookie_jar=aiohttp.DummyCookieJar(),
            # The environment's proxies, but not for a server on this machine.
            trust_env=not _is_local(config.base_url),
        )

    async def aclose(self) -> None:
        await self._http.close()
        await asyncio.sleep(0)  # transports close in the loop's next turn

    async def ask(self, body: dict[str, Any]) -> dict[str, Any]:
        """The reply to `body`, a JSON object.

        Raises RequestError when this body gets none, EngineError when none would: the key or the
        model is wrong, or nobody listens there.
        """
        content = encoded(body)
        last = _TryAgainError("never tried")
        for attempt in range(self._config.max_retries + 1):
            if attempt:
                await self._wait(attempt, last)
            await asyncio.sleep(max(0.0, self._resume_at - time.monotonic()))
            try:
                with await self._pace.enter() as call:
                    return await self._paced(call, content)
            except _TryAgainError as error:
                last = error
                _log.debug("attempt %d: %s", attempt + 1, error)
        message = f"gave up after {self._config.max_retries + 1} attempts: {last}"
        if last.offline:
            raise EngineError(f"{self._url}: {message}")
        raise RequestError(message)

    async def _paced(self, call: Call, content: bytes) -> dict[str, Any]:
        try:
            reply = await self._attempt(content)
        except _TryAgainError:
            call.too_much()
            raise
        except RequestError:
            call.went_well()
            raise
        call.went_well()
        return reply

    async def _attempt(self, content: bytes) -> dict[str, Any]:
        try:
            async with (
                asyncio.timeout(self._config.timeout_s),
                self._http.post(self._url, data=content, allow_redirects=False) as response,
            ):
                body = await response.read()
        except TimeoutError:
            raise _TryAgainError(f"no answer within {self._config.timeout_s:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            reason = self._clean(str(error.certificate_error))
            raise EngineError(
                f"{self._url}: the server's certificate is not trusted: {reason}",
                hint="A certificate authority of your own goes into SSL_CERT_FILE.",
            ) from None
        except aiohttp.ClientConnectorError as error:
            raise _TryAgainError(self._clean(f"cannot connect: {error}"), offline=True) from None
        except aiohttp.ClientError as error:
            name = type(error).__name__
            raise _TryAgainError(self._clean(f"connection lost ({name}): {error}")) from None
        if response.status != HTTPStatus.OK:
            raise self._refusal(response.status, response.headers.get("Retry-After"), body)
        try:
            reply = json.loads(body)
        except ValueError:
            raise _TryAgainError("the server's reply is not JSON") from None
        if not isinstance(reply, dict):
            raise _TryAgainError("the server's reply is not a JSON object")
        if "choices" not in reply and "error" in reply:
            raise RequestError(self._clean(f"the server answered with an error: {_message(reply)}"))
        return reply

    def _refusal(self, status: int, wait: str | None, body: bytes) -> Exception:
        """What a status other than 200 means for us; `wait` is the reply's Retry-After."""
        try:
            payload = json.loads(body)
        except ValueError:
            payload = None
        told = _message(payload) or body[:300].decode("utf-8", "replace")
        said = self._clean(f"HTTP {status}: {told}")
        if status in _FATAL or 300 <= status < 400 or _code(payload) in _FATAL_CODES:
            return EngineError(f"{self._url}, model {self._config.model}: {said}")
        if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _TryAgainError(said, wait_s=retry_after(wait))
        return RequestError(said)

    def _clean(self, text: str) -> str:
        return text.replace(self._secret, "***") if self._secret else text

    async def _wait(self, attempt: int, last: _TryAgainError) -> None:
        """Exponential backoff with jitter; a Retry-After holds every request back, not this alone."""
        if last.wait_s is not None:
            wait = min(last.wait_s, _LONGEST_RETRY_AFTER_S)
            self._resume_at = max(self._resume_at, time.monotonic() + wait)
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


def _connector(base_url: str) -> aiohttp.TCPConnector:
    """As many connections as there are callers; authorities as the environment names them now, and
    not as they were when aiohttp was imported."""
    encrypted = urlsplit(base_url).scheme == "https"
    return aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context() if encrypted else True)


def _is_local(base_url: str) -> bool:
    return urlsplit(base_url).hostname in {"localhost", "127.0.0.1", "::1"}


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
