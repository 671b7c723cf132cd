"""Near-duplicates of a pool, across pictures, recounted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from comd_platform.errors import ComdError
from comd_platform.overlap import find_duplicates
from comd_platform.overlap.looking import pool_of
from comd_platform.tables import Pool

from .conftest import draw

if TYPE_CHECKING:
    from .conftest import World


def test_clusters_reach_across_pictures_and_count_them(world: World) -> None:
    first, second = (world.picture(f"{n}.png", draw(n)) for n in range(2))
    generic = [world.ask("What is it?", image) for image in (first, second, None)]
    world.ask("WHAT is  it?", first)
    nine = "one two three four five six seven eight nine"
    world.ask(f"{nine} ten", first)
    world.ask(f"{nine} eleven", first)
    world.ask("Who painted the small dog on the left?", second)
    found = find_duplicates(world.session, world.pool.id)
    assert (found.instructions, found.wordings) == (7, 5)
    assert (found.duplicated, found.redundant) == (6, 4)
    big, small = found.clusters
    assert (big.instructions, big.pictures, big.wordings) == (4, 3, 2)
    assert [(e.text, e.instructions, e.first_id) for e in big.examples] == [
        ("What is it?", 3, generic[0]),
        ("WHAT is  it?", 1, generic[-1] + 1),
    ]
    assert (small.instructions, small.pictures, small.wordings) == (2, 1, 2)
    assert len(find_duplicates(world.session, world.pool.id, threshold=0.95).clusters) == 1


def test_a_pools_ancestors_are_looked_at_too(world: World) -> None:
    world.ask("What is it?", world.picture("a.png", draw(1)))
    child = Pool(parent_id=world.pool.id, origin="augmentation")
    world.session.add(child)
    world.session.flush()
    asked = world.ask("What is it?", world.picture("b.png", draw(2)))
    world.session.execute(
        text("UPDATE instruction SET pool_id = :child WHERE id = :id"),
        {"child": child.id, "id": asked},
    )
    assert find_duplicates(world.session, world.pool.id).clusters == []
    assert find_duplicates(world.session, child.id).duplicated == 2


def test_an_empty_pool_has_none(world: World) -> None:
    found = find_duplicates(world.session, world.pool.id)
    assert (found.instructions, found.redundant, found.clusters) == (0, 0, [])


def test_pools_are_found_by_name_and_the_error_names_them(world: World) -> None:
    assert pool_of(world.session, "seed").id == world.pool.id
    with pytest.raises(ComdError, match="neither a run nor a pool is named 'sed'") as error:
        pool_of(world.session, "sed")
    assert error.value.hint == "Runs: none yet. Pools: seed."
    with pytest.raises(ComdError, match="a pool has no iterations"):
        pool_of(world.session, "seed", 2)
