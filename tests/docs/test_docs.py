"""The documentation builds, and no link in it or in the README is dead."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

import comd_migrations
from comd_platform.config.run import RunConfig
from comd_platform.db.engine import transaction
from comd_platform.schema import tables, views
from comd_workers.cli.failing import EXIT_STATUS
from comd_workers.cli.schema_page import page
from comd_workers.cli.tree import walk

ROOT = Path(__file__).parents[2]


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_platform_never_becomes_a_package() -> None:
    # It would shadow the standard library's module of that name.
    assert not (ROOT / "platform" / "__init__.py").exists()


@pytest.mark.full
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "loop" / "index.html").exists()
    # The reference is made from the code, for everything that there is.
    commands = (tmp_path / "reference" / "cli" / "index.html").read_text()
    for entry in walk():
        assert f">{' '.join(('comd', *entry.path))}<" in commands or not entry.path
    keys = (tmp_path / "reference" / "config" / "index.html").read_text()
    for section in RunConfig.model_fields:
        assert f"<code>{section}</code>" in keys
    assert "difficulty_threshold" in keys


def test_the_schemas_page_is_as_comd_writes_it(engine: Engine) -> None:
    with transaction(engine) as session:
        written = page(tables(), views(session, comd_migrations.view_descriptions()))
    stands = (ROOT / "docs" / "schema.md").read_text(encoding="utf-8")
    assert written == stands, "run: comd schema --out docs/schema.md"


def test_the_documentation_tells_every_exit_status() -> None:
    told = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [status for status in EXIT_STATUS if f"| {status} |" not in told] == []
