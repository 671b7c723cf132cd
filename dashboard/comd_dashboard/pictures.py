"""Pictures by address: `/pictures/small/SHA256`, behind the same guard as the pages."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from comd_platform.images.names import ImageError
from comd_platform.images.thumbnails import SIZES, Size, Thumbnails
from comd_platform.settings import get_settings

log = logging.getLogger(__name__)

ADDRESS = "/pictures/{size}/{sha256}"
# What has a content's name never changes. Private: between browser and us nobody shall keep it.
_FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}


def address(sha256: str, size: Size = "small") -> str:
    """Where the browser finds a picture."""
    return f"/pictures/{size}/{sha256}"


def thumbnails() -> Thumbnails:
    """Of the pictures that the settings name, kept under this machine's home."""
    settings = get_settings()
    return Thumbnails(settings.image_root, settings.home / "thumbnails")


async def picture(request: Request) -> Response:
    """The picture as WebP; 304 where the browser has it, 404 with the reason where nobody does."""
    size, sha256 = request.path_params["size"], request.path_params["sha256"]
    if size not in SIZES:
        return PlainTextResponse("no such size", 404)
    tag = f'"{sha256}-{size}"'
    headers = _FOR_EVER | {"etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    try:
        path = await run_in_threadpool(thumbnails().get, sha256, size)
    except ImageError as error:
        log.warning("%s", error.message)
        return PlainTextResponse("this picture cannot be shown", 404)
    return FileResponse(path, media_type="image/webp", headers=headers)


ROUTE = Route(ADDRESS, picture)
