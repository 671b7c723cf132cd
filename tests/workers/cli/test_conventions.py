"""What every command keeps to, tried on all there are; a new one is found by itself."""

from __future__ import annotations

import re
import shlex

import pytest

from comd_workers.cli.tree import Entry, walk

COMMANDS = [entry for entry in walk() if not entry.is_group]
GROUPS = [entry for entry in walk() if entry.is_group]

# What prints no data: it serves, opens something, or says that it has done as told.
NO_DATA = {
    "dashboard",
    "db downgrade",
    "db grant-reader",
    "db grant-reviewer",
    "db psql",
    "db start",
    "db stop",
    "db upgrade",
    "demo",
    "pretrain worker",
    "review decide",
    "review undo",
    "worker",
}


def name(entry: Entry) -> str:
    return " ".join(entry.path)


@pytest.mark.parametrize("entry", [*GROUPS, *COMMANDS], ids=name)
def test_says_what_it_does_in_a_sentence(entry: Entry) -> None:
    assert re.match(r"[A-Z].*[.:]", entry.command.help or "", re.DOTALL)


@pytest.mark.parametrize("entry", COMMANDS, ids=name)
def test_explains_every_argument_and_option(entry: Entry) -> None:
    silent = [each.name for each in entry.command.params if not getattr(each, "help", None)]
    assert silent == []


@pytest.mark.parametrize("entry", COMMANDS, ids=name)
def test_has_an_example_that_is_right_usage(entry: Entry) -> None:
    assert entry.examples
    for line in entry.examples:
        # Assignments before, a pipe or a file after, and a remark, as in any shell.
        words = shlex.split(re.split(r" [>|] ", line)[0], comments=True)
        while "=" in words[0]:
            words.pop(0)
        assert words[: len(entry.path) + 1] == ["comd", *entry.path], line
        # Parses names, options and values; runs nothing. Raises a usage error otherwise.
        entry.command.make_context(name(entry), words[len(entry.path) + 1 :])


@pytest.mark.parametrize("entry", COMMANDS, ids=name)
def test_prints_json_where_it_prints_data(entry: Entry) -> None:
    options = {option for each in entry.command.params for option in each.opts}
    assert ("--json" in options) == (name(entry) not in NO_DATA)


def test_what_prints_no_data_exists() -> None:
    assert {name(entry) for entry in COMMANDS} >= NO_DATA
