"""A body with pictures in it is the JSON that it would have been."""

from __future__ import annotations

import json

import pytest

from comd_workers.engines.openai.encoding import Verbatim, encoded


def test_what_stands_verbatim_is_where_it_was() -> None:
    first, second = "data:image/png;base64,iVBOR+/w0=", "file:///a%20b/c.jpg"
    body = {
        "model": "m",
        "messages": [{"content": [{"url": Verbatim(first)}, {"text": '2 \u4e2d " picture 1.'}]}],
        "more": {"url": Verbatim(second), "again": Verbatim(first)},
    }
    assert json.loads(encoded(body)) == {
        "model": "m",
        "messages": [{"content": [{"url": first}, {"text": '2 \u4e2d " picture 1.'}]}],
        "more": {"url": second, "again": first},
    }


def test_a_body_without_pictures_is_plain_json() -> None:
    assert encoded({"a": [1, None, "b"]}) == b'{"a": [1, null, "b"]}'


def test_what_json_does_not_know_is_said() -> None:
    with pytest.raises(TypeError, match="bytes is nothing that JSON holds"):
        encoded({"a": b"c"})
