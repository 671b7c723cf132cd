"""The scripted engine: a loop's worth of behaviour without a model, and faults on order."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from comd_platform.config.engines import ScriptedConfig
from comd_workers.engines.base import Completion, EngineError, Request, Sampling, ScoreRequest
from comd_workers.engines.scripted import ScriptedEngine, open_engine, write_weights
from comd_workers.engines.scripts.quiz import MARK, REFUSAL, knows

SAMPLED = Sampling(temperature=0.5)


def quiz(role: str, *, text: str = "", count: int = 400, **config: Any) -> list[Completion]:
    """What the quiz says in a role, to `count` requests without pictures."""
    options = {"role": role, **config.pop("options", {})}
    engine = open_engine(ScriptedConfig(model="quiz", options=options, **config))
    requests = [Request(str(i), text or f"question {i} ?", seed=i) for i in range(count)]
    return list(engine.generate(requests, SAMPLED))


def share(completions: list[Completion], part: str) -> float:
    return sum(part in completion.text for completion in completions) / len(completions)


def test_echo_says_what_it_was_told() -> None:
    engine = open_engine(ScriptedConfig(model="echo", options={"prefix": "> "}))
    (completion,) = engine.generate([Request("a", "kaba lodi mifu")], Sampling(max_new_tokens=3))
    assert completion == Completion("a", "> kaba lodi", "length", 3, 3)


def test_a_teacher_is_right_and_a_student_to_its_skill() -> None:
    assert share(quiz("teacher"), "(right") == 1.0
    assert share(quiz("student", options={"skill": 0.3}), "(right") == pytest.approx(0.3, abs=0.08)


def test_more_skill_forgets_nothing() -> None:
    questions = [f"question {i}" for i in range(200)]
    low = {q for q in questions if knows("a.png", q, 0.4)}
    high = {q for q in questions if knows("a.png", q, 0.6)}
    assert low < high


def test_the_assessor_scores_the_marks_in_the_order_of_its_prompt() -> None:
    right, wrong = "It is (right 0123abcd)", "It is (wrong 0123abcd)"
    for text, better in ((f"1: {right} 2: {wrong}", 0), (f"1: {wrong} 2: {right}", 1)):
        for completion in quiz("assessor", text=text, count=40):
            scores = [int(number) for number in completion.text.splitlines()[0].split()]
            assert scores[better] >= 8
            assert 1 <= scores[1 - better] <= 3
    assert {c.text for c in quiz("assessor", text="no marks here")} == {REFUSAL}


def test_an_assessor_may_be_unreadable_and_anyone_may_refuse() -> None:
    text = "(right 0123abcd) (wrong 0123abcd)"
    said = quiz("assessor", text=text, options={"unreadable_rate": 0.25})
    assert share(said, "hard to put a number") == pytest.approx(0.25, abs=0.08)
    said = quiz("augmentor", options={"refusal_rate": 0.5})
    assert share(said, REFUSAL) == pytest.approx(0.5, abs=0.1)


def test_the_augmentor_asks_something_new_or_the_same_again() -> None:
    assert len({c.text for c in quiz("augmentor")}) == 400
    said = [c.text for c in quiz("augmentor", options={"duplicate_rate": 0.5})]
    most = max(said.count(text) for text in set(said))
    assert most / len(said) == pytest.approx(0.5, abs=0.1)
    assert all(text.endswith("?") for text in said)


def test_one_model_plays_several_roles_told_apart_by_markers() -> None:
    options = {"markers": {"assessor": "Score both", "augmentor": "Write one new"}}
    assert MARK.search(quiz("teacher", options=options)[0].text)
    assert quiz("teacher", text="Write one new question", options=options)[0].text.endswith("?")
    judged = quiz("teacher", text="Score both: (right 0123abcd) (wrong 0123abcd)", options=options)
    assert judged[0].text[0] in "89"


def test_a_role_that_is_none() -> None:
    with pytest.raises(EngineError, match="no role 'tutor'"):
        quiz("tutor")


def test_a_script_that_is_none() -> None:
    with pytest.raises(EngineError, match="no script 'play', only echo, quiz"):
        open_engine(ScriptedConfig(model="play"))


def test_a_checkpoint_is_a_directory_that_knows_more(tmp_path: Path) -> None:
    student = ScriptedConfig(model="quiz", options={"role": "student", "skill": 0.2})
    write_weights(tmp_path / "checkpoint", skill=0.8)
    tuned = student.with_model(str(tmp_path / "checkpoint"))
    requests = [Request(str(i), f"question {i}") for i in range(300)]

    def skill(config: ScriptedConfig) -> float:
        return share(list(open_engine(config).generate(requests, Sampling())), "(right")

    assert skill(student) == pytest.approx(0.2, abs=0.08)
    assert skill(tuned) == pytest.approx(0.8, abs=0.08)
    with pytest.raises(EngineError, match="no scripted weights"):
        open_engine(student.with_model(str(tmp_path / "nothing")))
    (tmp_path / "checkpoint" / "scripted.json").write_text("[]")
    with pytest.raises(EngineError, match="not a JSON object"):
        open_engine(tuned)


def test_bad_luck_goes_by_the_seed() -> None:
    said = quiz("teacher", text="the same question", error_rate=0.3)
    failures = [completion for completion in said if completion.finish_reason == "error"]
    assert len(failures) / len(said) == pytest.approx(0.3, abs=0.08)
    assert {completion.error for completion in failures} == {"scripted bad luck"}


def test_a_poisoned_instruction_fails_alone_and_always() -> None:
    said = quiz("teacher", fail_on="question 7 ?")
    assert [c.key for c in said if c.error == "scripted failure"] == ["7"]


def test_a_crash_comes_after_what_was_before_it() -> None:
    engine = open_engine(ScriptedConfig(crash_on="bomb"))
    asked = [Request("a", "kaba"), Request("b", "a bomb"), Request("c", "kaba")]
    running = engine.generate(asked, SAMPLED)
    assert next(running).key == "a"
    with pytest.raises(EngineError, match="'b'"):
        next(running)
    with pytest.raises(EngineError, match="'b'"):
        list(engine.score([ScoreRequest(asked[1], ("x",))]))


def test_a_kill_takes_the_process() -> None:
    program = (
        "from comd_platform.config.engines import ScriptedConfig as C\n"
        "from comd_workers.engines.base import Request, Sampling\n"
        "from comd_workers.engines.scripted import open_engine\n"
        "engine = open_engine(C(crash_on='bomb', crash='kill'))\n"
        "list(engine.generate([Request('a', 'bomb')], Sampling()))\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL


def test_a_request_takes_its_time() -> None:
    begun = time.monotonic()
    quiz("teacher", count=3, delay_s=0.02)
    assert time.monotonic() - begun >= 0.06


def test_the_same_on_every_machine() -> None:
    """Recorded once; a change here changes what every recorded scripted run holds."""
    engine = ScriptedEngine(ScriptedConfig(model="quiz", options={"role": "student"}))
    request = Request("a", "who is this ?", seed=5)
    (completion,) = engine.generate([request], SAMPLED)
    (score,) = engine.score([ScoreRequest(request, ("kaba lodi",))])
    assert completion.text == "I see karton (right 3ffaa9d5)"
    assert score.continuations[0].logprob == pytest.approx(-0.139927, abs=1e-6)


def test_weights_answer_alike_wherever_they_lie(tmp_path: Path) -> None:
    said = []
    for place in ("here", "there"):
        write_weights(tmp_path / place, skill=0.4)
        config = ScriptedConfig(
            model=str(tmp_path / place), script="quiz", options={"role": "student"}
        )
        with open_engine(config) as engine:
            requests = [Request(key=str(n), text=f"What is thing {n}?") for n in range(20)]
            said.append([each.text for each in engine.generate(requests, Sampling())])
    assert said[0] == said[1]
