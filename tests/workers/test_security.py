"""What comes from outside is data: no pickle, no code of a model's own, no picture from elsewhere."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path
from typing import Any, get_args

import pytest
from kombu import Exchange, Queue
from kombu.exceptions import ContentDisallowed
from PIL import Image

from comd_platform.config.engines import HfConfig, VllmConfig
from comd_platform.images import ImageError, load_upright, stored_file
from comd_platform.settings import Settings
from comd_training.spec import TrainingSpec
from comd_workers.broker import make_app, queue_name

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("platform", "migrations", "training", "workers", "dashboard")
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


class Evil:
    """What a pickle can be: it runs a function when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def test_a_pickled_message_is_refused_unread(settings: Settings, tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    pickle.loads(pickle.dumps(Evil(trace)))
    assert trace.exists()  # so that its absence below says something
    trace.unlink()
    app = make_app(settings)
    refused: list[str] = []

    def received(body: object, message: Any) -> None:
        pytest.fail(f"{body} was read")

    def undecodable(message: Any, error: Exception) -> None:
        assert isinstance(error, ContentDisallowed)
        refused.append(message.content_type)
        message.ack()

    queue = Queue(queue_name("teacher"), Exchange(""), routing_key=queue_name("teacher"))
    with app.connection_for_write() as connection:
        producer = connection.Producer()
        producer.publish(
            pickle.dumps(Evil(trace)),
            routing_key=queue.name,
            declare=[queue],
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )
        with connection.Consumer(
            [queue],
            callbacks=[received],
            on_decode_error=undecodable,
            accept=app.conf.accept_content,
        ):
            connection.drain_events(timeout=30)
    assert refused == ["application/x-python-serialize"]
    assert not trace.exists()


def test_nothing_of_ours_reads_or_writes_pickles() -> None:
    found = []
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [(node.module or "").split(".")[0]]
            elif isinstance(node, ast.Call):
                found += [
                    f"{path}:{node.lineno} {keyword.arg}"
                    for keyword in node.keywords
                    if keyword.arg in ("allow_pickle", "weights_only")
                    and isinstance(keyword.value, ast.Constant)
                    and keyword.value.value is (keyword.arg == "allow_pickle")
                ]
            found += [f"{path}:{node.lineno} {name}" for name in names if name in UNPICKLING]
    assert found == []


@pytest.mark.parametrize("config", [HfConfig, VllmConfig, TrainingSpec])
def test_code_of_a_models_own_runs_only_where_the_config_says_so(config: Any) -> None:
    field = config.model_fields["trust_remote_code"]
    assert field.default is False
    assert field.annotation is bool or bool in get_args(field.annotation)


def test_a_stored_picture_is_read_from_the_image_root_alone(tmp_path: Path) -> None:
    root = tmp_path / "images"
    root.mkdir()
    Image.new("RGB", (2, 2)).save(root / "a.png")
    Image.new("RGB", (2, 2)).save(tmp_path / "secret.png")
    (root / "link.png").symlink_to(tmp_path / "secret.png")
    assert stored_file(root, "a.png") == (root / "a.png").resolve()
    for path in ("../secret.png", str(tmp_path / "secret.png"), "file:///etc/passwd", "link.png"):
        with pytest.raises(ImageError):
            stored_file(root, path)
    with pytest.raises(ImageError, match="not in the image root"):
        stored_file(root, "gone.png")


def test_a_picture_is_seen_upright_and_by_no_other_decoder(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("CMYK", (8, 3)).save(tmp_path / "turned.jpg", exif=exif)
    seen = load_upright(tmp_path / "turned.jpg")
    assert (seen.mode, seen.size) == ("RGB", (3, 8))
    (tmp_path / "script.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    with pytest.raises(OSError, match="cannot identify"):
        load_upright(tmp_path / "script.png")
