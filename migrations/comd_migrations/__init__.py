"""The schema's history, as a package, so that an installed wheel can migrate."""

from comd_migrations.runner import (
    SchemaStatus,
    downgrade,
    head_revision,
    is_current,
    require_current,
    status,
    upgrade,
)
from comd_migrations.views import view_descriptions

__all__ = [
    "SchemaStatus",
    "downgrade",
    "head_revision",
    "is_current",
    "require_current",
    "status",
    "upgrade",
    "view_descriptions",
]
