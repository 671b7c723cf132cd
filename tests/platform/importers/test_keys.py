"""Instruction keys: stable, unambiguous, and the same in Python and in SQL."""

from __future__ import annotations

import hashlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from comd_platform.keys import awaited, child_key, root_key, root_key_sql

SHA = hashlib.sha256(b"picture").hexdigest()
storable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def test_keys_are_what_they_were_when_databases_were_filled_with_them() -> None:
    expected = hashlib.sha256(f"4:root64:{SHA}11:Où est-il?".encode()).hexdigest()
    assert root_key(SHA, "Où est-il?") == expected
    assert (
        root_key("", "What is love?")
        == "4ef78de5ada41a57fab26ac5ca3a06e8834c595f9eaa1b4a58cdffc3c52b4146"
    )
    assert (
        child_key(expected, "Why?")
        == hashlib.sha256(f"5:child64:{expected}4:Why?".encode()).hexdigest()
    )


@given(st.tuples(storable, storable), st.tuples(storable, storable))
def test_different_parts_give_different_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (root_key(*one) == root_key(*other)) == (one == other)
    assert (child_key(*one) == child_key(*other)) == (one == other)
    assert root_key(*one) != child_key(*other)


def test_what_stands_for_a_missing_picture_is_no_sha256() -> None:
    assert root_key(awaited(SHA), "x") != root_key(SHA, "x")


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(image=storable, question=storable)
def test_sql_and_python_agree(engine: Engine, image: str, question: str) -> None:
    statement = text(f"SELECT {root_key_sql('CAST(:image AS text)', 'CAST(:text AS text)')}")
    with engine.connect() as connection:
        found = connection.scalar(statement, {"image": image, "text": question})
    assert found == root_key(image, question)
