"""Several machines: the hostfile, the launcher's command line, and ranks on two that are really one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from comd_training.failures import ConfigurationError
from comd_training.hosts import launcher_command, read_hostfile
from comd_training.metrics import Metric
from comd_training.orphan import Sign
from comd_training.ranks import Ranks
from comd_training.resume import SUPERVISED
from comd_training.spec import Host, TrainingSpec
from comd_training.supervise import TrainingFailed, run_training

SpecOf = Callable[..., TrainingSpec]


def test_a_hostfile_is_read_as_deepspeed_reads_it(tmp_path: Path) -> None:
    from deepspeed.launcher.runner import fetch_hostfile

    path = tmp_path / "hosts"
    path.write_text("# two nodes\nnode-a slots=8\n\nnode-b slots=4  # half of it\n")
    assert read_hostfile(path) == (Host("node-a", 8), Host("node-b", 4))
    path.write_text("node-a slots=8\nnode-b slots=4\n")
    assert {host.name: host.slots for host in read_hostfile(path)} == fetch_hostfile(str(path))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("node-a\n", r"hosts:1: 'node-a' is not of the form"),
        ("node-a slots=2\nnode-b slots=0\n", "hosts:2"),
        ("node-a slots=2\nnode-a slots=2\n", "stands there twice"),
        ("# nobody\n", "names no host"),
    ],
)
def test_a_hostfile_that_is_none(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "hosts"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        read_hostfile(path)
    with pytest.raises(ConfigurationError, match="No such file"):
        read_hostfile(tmp_path / "none")


def on_hosts(spec: TrainingSpec, *hosts: Host, launcher: tuple[str, ...] = ()) -> TrainingSpec:
    return TrainingSpec.model_validate(
        spec.model_dump() | {"hosts": hosts, "launcher": launcher, "threads": 1}
    )


def test_the_launchers_command_line_is_one_that_deepspeed_understands(spec_of: SpecOf) -> None:
    from deepspeed.launcher.runner import parse_args

    spec = on_hosts(spec_of(), Host("a", 4), Host("b", 4), launcher=("--launcher", "slurm"))
    command = launcher_command(spec, Path("/shared/hostfile"), "/shared/spec.json", 29501)
    assert command[:3] == [sys.executable, "-m", "deepspeed.launcher.runner"]
    told = parse_args(command[3:])
    assert (told.hostfile, told.master_port, told.launcher) == ("/shared/hostfile", 29501, "slurm")
    assert told.module
    assert told.no_local_rank
    assert (told.user_script, told.user_args) == ("comd_training.tune", ["/shared/spec.json"])
    assert spec.ranks == 8


def test_what_pdsh_would_run_on_each_node(
    spec_of: SpecOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Ranks.start through DeepSpeed's launcher to a pdsh that writes down its words."""
    tool = tmp_path / "bin" / "pdsh"
    tool.parent.mkdir()
    tool.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/words\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    launcher = ("--no_ssh_check", "--master_addr", "10.0.0.1")
    spec = on_hosts(spec_of(), Host("a", 2), Host("b", 2), launcher=launcher)
    with (spec.output / ".lock").open("ab") as lock:
        with Ranks.start(spec, lock, from_template=True) as ranks:
            while ranks.running():
                time.sleep(0.05)
        assert ranks.failed() is None
    words = (tmp_path / "words").read_text()
    assert "-w a,b" in words
    assert "--master_addr=10.0.0.1" in words
    assert words.rstrip().endswith(f"comd_training.tune {spec.output / 'spec.json'}")
    assert (spec.output / "hostfile").read_text() == "a slots=2\nb slots=2\n"


def test_ranks_of_other_hosts_end_with_their_supervisor(tmp_path: Path) -> None:
    """Touched, they live; taken over by another supervisor, gone or silent, they end."""
    watch = (
        "import sys, time; from pathlib import Path; from comd_training.orphan import *; "
        "die_without_sign(Path(sys.argv[1]), every=0.05, patience=float(sys.argv[2])); "
        "print('there', flush=True); time.sleep(60)"
    )

    def rank(patience: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", watch, str(tmp_path / "sign"), str(patience)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        process.stdout.close()
        return process

    sign = Sign(tmp_path / "sign")
    one = rank(60)
    for _ in range(5):
        sign.give()
        time.sleep(0.05)
    assert one.poll() is None
    Sign(tmp_path / "sign")
    assert one.wait(20) == -9

    silent = rank(0.2)
    assert silent.wait(20) == -9

    deserted = rank(60)
    sign.take_back()
    sign.give()  # too late: it does not come back
    assert not (tmp_path / "sign").exists()
    assert deserted.wait(20) == -9


@pytest.mark.full
@pytest.mark.timeout(280)
def test_two_nodes_on_one_machine_train_as_one_process_does(spec_of: SpecOf) -> None:
    """DeepSpeed's launcher twice, a node each: the supervised one, and one started by hand beside it."""
    whole: list[Metric] = []
    run_training(spec_of("whole", zero_stage=2), on_metric=whole.append, on_alive=lambda: None)

    here = ("--no_ssh", "--master_addr", "127.0.0.1", "--node_rank")
    spec = on_hosts(
        spec_of("nodes", micro_batch_size=2, zero_stage=2),
        Host("localhost", 1),
        Host("127.0.0.1", 1),
        launcher=(*here, "0"),
    )
    port = 29_000 + os.getpid() % 900
    spec = spec.model_copy(update={"master_port": port})
    other = spec.model_copy(update={"launcher": (*here, "1")})
    second: list[subprocess.Popen[bytes]] = []

    def beside() -> None:
        """The second node, once the supervisor has written what it is to do."""
        if not second and (spec.output / SUPERVISED).exists():
            command = launcher_command(
                other, spec.output / "hostfile", str(spec.output / "spec.json"), port
            )
            second.append(
                subprocess.Popen(
                    command,
                    env=os.environ | {"DS_ACCELERATOR": "cpu"},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )

    metrics: list[Metric] = []
    result = run_training(spec, on_metric=metrics.append, on_alive=beside)
    assert second[0].wait(60) == 0
    assert result.steps == whole[-1].step
    assert [m.loss for m in metrics] == pytest.approx([m.loss for m in whole], rel=1e-5)
    assert not (spec.output / SUPERVISED).exists()


@pytest.mark.timeout(120)
def test_a_launcher_that_fails_is_named(spec_of: SpecOf) -> None:
    launcher = ("--no_ssh", "--master_addr", "127.0.0.1", "--node_rank", "7")
    spec = on_hosts(spec_of(), Host("a", 1), Host("b", 1), launcher=launcher)
    with pytest.raises(TrainingFailed, match="node_rank is not set correctly") as failed:
        run_training(spec, on_metric=lambda _: None, on_alive=lambda: None)
    assert failed.value.kind == "crashed"
