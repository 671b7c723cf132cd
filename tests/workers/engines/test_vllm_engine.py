"""The supervised server: real processes that start, crash, are replaced, and are gone afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from comd_platform.config.engines import HfConfig, VllmConfig
from comd_workers.engines.base import Completion, EngineError, Request, Sampling, ScoreRequest
from comd_workers.engines.cache import EngineCache
from comd_workers.engines.registry import open_engine
from comd_workers.engines.vllm import ServerDied, VllmEngine
from comd_workers.engines.vllm.command import command_line

GREEDY = Sampling(max_new_tokens=6)


def config_for(stub: Any, **changes: Any) -> VllmConfig:
    return VllmConfig(**({"model": "m", "command": stub.command, "concurrency": 4} | changes))


def questions(count: int, pictures: tuple[Path, ...] = ()) -> list[Request]:
    return [
        Request(key=str(i), text=f"question {i} ?", images=pictures[i % 8 : i % 8 + 1], seed=i)
        for i in range(count)
    ]


def ask(engine: Any, requests: list[Request]) -> dict[str, Completion]:
    listed = list(engine.generate(requests, GREEDY))
    assert len({completion.key for completion in listed}) == len(listed)
    return {completion.key: completion for completion in listed}


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.05)


def port_of(start: dict[str, Any]) -> int:
    return int(start["argv"][start["argv"].index("--port") + 1])


def assert_gone(start: dict[str, Any]) -> None:
    """The server, what it had started, and its hold on the port."""
    assert not alive(start["pid"])
    assert not alive(start["engine_pid"])
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # connections linger, listeners not
        probe.bind(("127.0.0.1", port_of(start)))


def test_the_command_line_says_what_the_config_says() -> None:
    config = VllmConfig(
        model="org/teacher",
        command=("/opt/vllm/bin/vllm",),
        revision="v2",
        dtype="bfloat16",
        max_length=4096,
        tensor_parallel=4,
        gpu_memory_share=0.85,
        images_per_prompt=2,
        prefix_caching=False,
        flags=("--quantization", "fp8"),
        machine_flags=("--enforce-eager",),
    )
    line = command_line(config, 8123, Path("/pictures"))
    assert line[:3] == ["/opt/vllm/bin/vllm", "serve", "org/teacher"]
    flags = dict(pairwise(line))
    assert flags["--port"] == "8123"
    assert flags["--host"] == "127.0.0.1"
    assert flags["--revision"] == "v2"
    assert flags["--dtype"] == "bfloat16"
    assert flags["--max-model-len"] == "4096"
    assert flags["--tensor-parallel-size"] == "4"
    assert flags["--gpu-memory-utilization"] == "0.85"
    assert json.loads(flags["--limit-mm-per-prompt"]) == {"image": 2}
    assert flags["--allowed-local-media-path"] == "/pictures"
    assert flags["--quantization"] == "fp8"
    assert "--no-enable-prefix-caching" in line
    assert "--enforce-eager" in line
    assert "--trust-remote-code" not in line
    sent = command_line(config.model_copy(update={"image_transport": "data_url"}), 1, Path("/p"))
    assert "--allowed-local-media-path" not in sent


def test_start_and_stop_leave_nothing_behind(
    vllm_stub: Any, pictures: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMD_DATABASE_URL", "postgresql://me:secret@host/db")
    with open_engine(config_for(vllm_stub)) as engine:
        (start,) = vllm_stub.starts
        assert alive(start["engine_pid"])
        answers = ask(engine, questions(8, pictures))
        assert all(answer.error is None for answer in answers.values())
    assert_gone(start)
    # The key is not where everyone can read it, and the database is none of the server's business.
    assert "--api-key" not in start["argv"]
    assert "VLLM_API_KEY" in start["environment"]
    assert not [name for name in start["environment"] if name.startswith("COMD_")]


def test_pictures_outside_the_image_root_are_sent(vllm_stub: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    root = Path(os.environ["COMD_IMAGES"])
    outside.write_bytes((root / "0.png").read_bytes())
    asked = [
        Request("inside", "what ?", (root / "0.png",)),
        Request("outside", "what ?", (outside,)),
    ]
    with open_engine(config_for(vllm_stub)) as engine:
        answers = ask(engine, asked)
    assert {key: answer.error for key, answer in answers.items()} == {
        "inside": None,
        "outside": None,
    }


def test_a_crash_while_starting_shows_the_log(vllm_stub: Any) -> None:
    vllm_stub.decide(die_at_start=9)
    with pytest.raises(EngineError, match="the stub was told not to start") as error:
        open_engine(config_for(vllm_stub))
    assert "ended before it could serve" in str(error.value)
    assert error.value.hint is not None
    log = Path(error.value.hint.removeprefix("All of it is in ").rstrip("."))
    assert "the stub was told not to start" in log.read_text()
    (start,) = vllm_stub.starts
    assert_gone(start)


def test_a_port_that_somebody_took_meanwhile_is_another_start(vllm_stub: Any) -> None:
    vllm_stub.decide(die_at_start=1, says="OSError: [Errno 98] Address already in use")
    with open_engine(config_for(vllm_stub)) as engine:
        assert len(ask(engine, questions(2))) == 2
    assert len(vllm_stub.starts) == 2
    vllm_stub.decide(die_at_start=9, says="OSError: [Errno 98] Address already in use")
    with pytest.raises(EngineError, match="Address already in use"):
        open_engine(config_for(vllm_stub))
    assert len(vllm_stub.starts) == 4


def test_patience_ends_with_the_log(vllm_stub: Any) -> None:
    vllm_stub.decide(hang_at_start=1)
    with pytest.raises(EngineError, match=r"within 4 s(.|\n)*checkpoint shards: 1/2"):
        open_engine(config_for(vllm_stub, start_timeout_s=4.0))
    (start,) = vllm_stub.starts
    assert_gone(start)


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(EngineError, match="/opt/nowhere/vllm") as error:
        open_engine(VllmConfig(model="m", command=("/opt/nowhere/vllm",)))
    assert "environment of its own" in str(error.value.hint)


def test_a_crash_in_the_middle_is_a_restart_and_every_request_is_answered_once(
    vllm_stub: Any, pictures: tuple[Path, ...]
) -> None:
    requests = questions(30, pictures)
    with open_engine(config_for(vllm_stub)) as engine:
        undisturbed = ask(engine, requests)
    vllm_stub.decide(die_after=10, mortal=3)  # the second and the third start
    with open_engine(config_for(vllm_stub)) as engine:
        assert ask(engine, requests) == undisturbed
        assert ask(engine, requests) == undisturbed
    assert len(vllm_stub.starts) == 4
    for start in vllm_stub.starts:
        assert_gone(start)


def test_a_server_that_died_between_two_calls_is_replaced(vllm_stub: Any) -> None:
    with open_engine(config_for(vllm_stub)) as engine:
        before = ask(engine, questions(3))
        os.kill(vllm_stub.starts[0]["pid"], signal.SIGKILL)
        assert ask(engine, questions(3)) == before
        # What the dead server had started held the card; it must be gone before the next starts.
        assert not alive(vllm_stub.starts[0]["engine_pid"])
    assert len(vllm_stub.starts) == 2


def test_two_threads_outlive_a_crash_together(vllm_stub: Any, pictures: tuple[Path, ...]) -> None:
    halves = [questions(24, pictures), questions(24)]
    with open_engine(config_for(vllm_stub)) as engine:
        undisturbed = [ask(engine, half) for half in halves]
    vllm_stub.decide(die_after=10, mortal=3)  # the second and the third start
    with open_engine(config_for(vllm_stub)) as engine, ThreadPoolExecutor() as threads:
        assert list(threads.map(lambda half: ask(engine, half), halves)) == undisturbed
    assert len(vllm_stub.starts) == 4  # each death was one restart
    for start in vllm_stub.starts:
        assert_gone(start)


def test_what_kills_the_server_is_not_restarted_for_every_thread(vllm_stub: Any) -> None:
    """As many starts as with one thread, and what was in hand throughout is told, to be done alone."""
    vllm_stub.decide(die_on="question 5 ")
    with (
        open_engine(config_for(vllm_stub, concurrency=16, max_restarts=2)) as engine,
        ThreadPoolExecutor(8) as threads,
    ):
        killers = [Request(key="5", text="question 5 ?")]
        others = [Request(key=str(i), text=f"what {i} ?") for i in range(8)]
        calls = [
            threads.submit(ask, engine, each) for each in (killers, *(others for _ in range(5)))
        ]
        with pytest.raises(ServerDied, match="stub's time has come"):
            calls[0].result(120)
        for call in calls[1:]:
            with suppress(ServerDied):
                assert len(call.result(120)) == 8
        assert len(vllm_stub.starts) == 3
        assert len(ask(engine, others)) == 8


def test_a_server_that_cannot_start_again_is_told_to_all(vllm_stub: Any) -> None:
    with open_engine(config_for(vllm_stub)) as engine, ThreadPoolExecutor(4) as threads:
        vllm_stub.decide(die_at_start=99, says="CUDA out of memory")
        os.kill(vllm_stub.starts[0]["pid"], signal.SIGKILL)
        for call in [threads.submit(ask, engine, questions(3)) for _ in range(4)]:
            with pytest.raises(EngineError, match="CUDA out of memory"):
                call.result(120)
    assert len(vllm_stub.starts) == 2


def test_closing_ends_a_start_of_another_thread(vllm_stub: Any) -> None:
    with ThreadPoolExecutor() as threads:
        engine = open_engine(config_for(vllm_stub))
        vllm_stub.decide(hang_at_start=9)
        os.kill(vllm_stub.starts[0]["pid"], signal.SIGKILL)
        asked = threads.submit(lambda: ask(engine, questions(3)))
        eventually(lambda: len(vllm_stub.starts) == 2)
        engine.close()
        with pytest.raises(EngineError, match="is not wanted any more"):
            asked.result(60)
    for start in vllm_stub.starts:
        assert_gone(start)


def test_servers_that_die_without_an_answer_end_the_engine(vllm_stub: Any) -> None:
    vllm_stub.decide(die_after=0)
    with (
        open_engine(config_for(vllm_stub, max_restarts=1)) as engine,
        pytest.raises(EngineError, match="stub's time has come"),
    ):
        ask(engine, questions(5))
    assert len(vllm_stub.starts) == 2


def test_one_request_that_kills_the_server_fails_its_item_not_the_phase(vllm_stub: Any) -> None:
    """No EngineError: the ledger then splits the item, down to that request."""
    vllm_stub.decide(die_on="question 5 ")
    requests = questions(8)
    with open_engine(config_for(vllm_stub, concurrency=1, max_restarts=1)) as engine:
        answers = engine.generate(requests, GREEDY)
        with pytest.raises(ServerDied, match="stub's time has come"):
            list(answers)
        assert len(ask(engine, requests[:5])) == 5  # others go on being served


def test_a_wrong_request_is_not_blamed_on_the_server(vllm_stub: Any) -> None:
    config = config_for(vllm_stub, extra_body={"temperature": "hot"})
    with open_engine(config) as engine:
        answers = ask(engine, questions(2))
    assert all(answer.error for answer in answers.values())
    assert len(vllm_stub.starts) == 1


def test_another_checkpoint_replaces_the_server(vllm_stub: Any) -> None:
    config = config_for(vllm_stub)
    with EngineCache(max_loaded=1) as cache:
        first = ask(cache.get(config), questions(3))
        second = ask(cache.get(config.with_model("/runs/1/checkpoint")), questions(3))
        old, new = vllm_stub.starts
        assert_gone(old)
        assert alive(new["pid"])
        assert new["argv"][1] == "/runs/1/checkpoint"
        assert first != second
        cache.close()  # as before a training
        assert_gone(new)


def test_kill_9_of_the_worker_leaves_no_server(vllm_stub: Any, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys, time\n"
        "from comd_platform.config.engines import VllmConfig\n"
        "from comd_workers.engines.registry import open_engine\n"
        "engine = open_engine(VllmConfig.model_validate_json(sys.argv[1]))\n"
        "print('serving', flush=True)\n"
        "time.sleep(600)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, str(script), config_for(vllm_stub).model_dump_json()],
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "serving\n"
        (start,) = vllm_stub.starts
        assert alive(start["pid"])
        worker.kill()
    eventually(lambda: not alive(start["pid"]) and not alive(start["engine_pid"]))
    assert_gone(start)


def test_an_abandoned_call_leaves_a_server_that_serves(vllm_stub: Any) -> None:
    with open_engine(config_for(vllm_stub)) as engine:
        assert isinstance(engine, VllmEngine)
        answers = engine.generate(questions(20), GREEDY)
        next(answers)
        del answers
        assert len(ask(engine, questions(20))) == 20
    assert len(vllm_stub.starts) == 1


def check_vllm(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).parents[3] / "examples" / "gpu" / "check_vllm.py"
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_check_for_gpu_machines(vllm_stub: Any) -> None:
    done = check_vllm("m", "--without-gpu", "--command", " ".join(vllm_stub.command))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok: ") == 3
    assert "the same text in 32 of 32" in done.stdout
    assert len(vllm_stub.starts) == 2


def test_the_check_says_what_is_missing() -> None:
    done = check_vllm("m", "--without-gpu", "--command", "/opt/nowhere/vllm")
    assert done.returncode == 2
    assert done.stdout.startswith("missing: the command '/opt/nowhere/vllm'")


def test_scores_through_a_server_are_the_models_own(
    vllm_stub: Any, tiny_llava: Path, pictures: tuple[Path, ...]
) -> None:
    """The stub with a real model in it, against the same model in this process."""
    options = ("kaba", "lodi mifu nuge", "", "reba .", "kaba")
    asked = [
        ScoreRequest(Request("seen", "kaba ?", pictures[:1], system="reba ."), options),
        ScoreRequest(Request("after", "po ?", pictures[1:2], image_position="after"), options),
        ScoreRequest(Request("unseen", "kaba mifu ?"), options[:2]),
        ScoreRequest(Request("nothing", "kaba ?"), ()),
    ]
    with open_engine(HfConfig(model=str(tiny_llava), device="cpu")) as here:
        expected = {score.key: score.continuations for score in here.score(asked)}
    tiny = str(Path(vllm_stub.command[1]).with_name("vllm_tiny.py"))
    config = config_for(vllm_stub, model=str(tiny_llava), command=(sys.executable, tiny))
    with open_engine(config) as served:
        got = {score.key: score for score in served.score(asked)}
    assert set(got) == set(expected)
    for key, scores in expected.items():
        assert got[key].error is None
        assert [each.tokens for each in got[key].continuations] == [each.tokens for each in scores]
        assert [each.logprob for each in got[key].continuations] == pytest.approx(
            [each.logprob for each in scores], abs=1e-4
        )


def test_scoring_outlives_a_crash(vllm_stub: Any) -> None:
    asked = [ScoreRequest(request, ("kaba", "lodi")) for request in questions(10)]
    with open_engine(config_for(vllm_stub)) as engine:
        undisturbed = {score.key: score for score in engine.score(asked)}
    vllm_stub.decide(die_after=12, mortal=2)
    with open_engine(config_for(vllm_stub)) as engine:
        assert {score.key: score for score in engine.score(asked)} == undisturbed
    assert len(vllm_stub.starts) == 3
