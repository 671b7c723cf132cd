"""The prompt templates of the four roles."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from comd_platform.method.judging import parse_scores
from comd_platform.method.prompts import ROLES, VARIABLES, PromptError, Role, load_prompt


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_template_that_shows_what_it_is_given(role: Role) -> None:
    values = {name: f"<{name}>" for name in VARIABLES[role]}
    rendered = load_prompt(role).render(**values)
    assert all(value in rendered for value in values.values())
    assert rendered == rendered.strip()
    assert "{{" not in rendered


@pytest.mark.parametrize("role", ["teacher", "student"])
def test_teacher_and_student_get_the_instruction_itself(role: Role) -> None:
    assert load_prompt(role).render(instruction="Who is it?") == "Who is it?"


def test_the_assessor_sees_the_answers_in_their_order() -> None:
    rendered = load_prompt("assessor").render(instruction="Who?", first="Olaf", second="Elsa")
    assert rendered.index("Who?") < rendered.index("Olaf") < rendered.index("Elsa")
    for quality in ("usefulness", "relevance", "accuracy", "level of detail", "1 to 10"):
        assert quality in rendered
    assert parse_scores(rendered) is None  # a judge that echoes its prompt gives no scores


def test_the_hash_is_that_of_the_text() -> None:
    prompt = load_prompt("teacher", "Answer: {{ instruction }}")
    assert prompt.hash == hashlib.sha256(b"Answer: {{ instruction }}").hexdigest()
    assert prompt.hash != load_prompt("teacher").hash


def test_a_file_overrides(tmp_path: Path) -> None:
    path = tmp_path / "short.j2"
    path.write_text("Q: {{ instruction }} \u2713\n", encoding="utf-8")
    prompt = load_prompt("teacher", path)
    assert prompt.render(instruction="Who?") == "Q: Who? \u2713"
    assert prompt == load_prompt("teacher", path.read_text(encoding="utf-8"))  # known by its text


@pytest.mark.parametrize(
    "hostile", ["{{ 7 * 7 }}", "{% for x in y %}", "{{ ''.__class__ }}", "<b>&amp;</b>", "{#"]
)
def test_what_is_filled_in_is_never_a_template(hostile: str) -> None:
    rendered = load_prompt("assessor").render(instruction="Q", first=hostile, second=hostile)
    assert rendered.count(hostile) == 2


@pytest.mark.parametrize(
    ("role", "template", "says"),
    [
        ("teacher", "{{ question }}", "unknown variable 'question'"),
        ("teacher", "hello", "'instruction' is not used"),
        ("assessor", "{{ instruction }} {{ first }}", "'second' is not used"),
        ("teacher", "a\n{{ instruction", "line 2"),
        ("teacher", "{{ instruction | nonsense }}", "nonsense"),
    ],
)
def test_a_template_that_cannot_work_is_refused_at_once(
    role: Role, template: str, says: str
) -> None:
    with pytest.raises(PromptError) as raised:
        load_prompt(role, template)
    assert says in raised.value.message
    assert raised.value.message.startswith(f"{role} template")


def test_the_augmentor_may_leave_the_task_type_out() -> None:
    prompt = load_prompt("augmentor", "Another: {{ instruction }}")
    assert prompt.render(instruction="Who?", task_type="x") == "Another: Who?"


def test_errors_name_the_template_and_the_variable(tmp_path: Path) -> None:
    prompt = load_prompt("assessor")
    with pytest.raises(PromptError, match=r"assessor\.j2: no value for the variable 'second'"):
        prompt.render(instruction="Q", first="a")
    with pytest.raises(
        PromptError, match=r"assessor\.j2: a value for the unknown variable 'extra'"
    ):
        prompt.render(instruction="Q", first="a", second="b", extra="c")
    with pytest.raises(PromptError, match="cannot read"):
        load_prompt("teacher", tmp_path / "absent.j2")
    (tmp_path / "latin.j2").write_bytes(b"\xe9{{ instruction }}")
    with pytest.raises(PromptError, match="cannot read"):
        load_prompt("teacher", tmp_path / "latin.j2")


@pytest.mark.parametrize(
    "template",
    [
        "{{ instruction.__class__.__mro__ }}",
        "{{ instruction }}{% for i in range(10000000) %}x{% endfor %}",
        "{{ instruction }}{% include 'secrets' %}",
        "{{ instruction.absent }}",
    ],
)
def test_a_template_runs_in_a_sandbox(template: str) -> None:
    with pytest.raises(PromptError, match="teacher template"):
        load_prompt("teacher", template).render(instruction="Q")
