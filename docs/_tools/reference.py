"""The reference, made from the code whenever the site is built: a hook of mkdocs (see mkdocs.yml).

Nothing of it is committed, so nothing of it can be out of date.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from comd_platform.config.engines import EngineConfig
from comd_platform.config.run import RunConfig
from comd_platform.settings import Settings
from comd_workers.cli.failing import EXIT_STATUS
from comd_workers.cli.tree import Entry, walk

_CLI = """\
# Commands

What all of them keep to, and how to write another, is on [their page](../cli.md).

## Exit statuses

"""

_CONFIG = """\
# Run config

Every key of a run config with its type and default. `comd config show` prints the same as YAML,
`comd config show FILE` what a file of yours comes to, and `--set section.key=value` changes one value on
the command line. A default is the paper's where the paper gives a value.

"""

_ENVIRONMENT = """\
# Environment variables

Where a machine keeps things and which servers it talks to; everything else is in the
[run config](config.md). `comd db status` prints what they come to.

| variable | default | |
|---|---|---|
"""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages to those on disk."""
    for name, page in (
        ("cli", _CLI + "".join(_cli())),
        ("config", _CONFIG + "".join(_config())),
        ("environment", _ENVIRONMENT + "".join(_environment())),
    ):
        files.append(File.generated(config, f"reference/{name}.md", content=page))
    return files


def _cli() -> Iterator[str]:
    yield _table("| status | |", ((str(code), said) for code, said in EXIT_STATUS.items()))
    for entry in walk():
        if entry.path:
            yield from _command(entry)


def _command(entry: Entry) -> Iterator[str]:
    name = " ".join(("comd", *entry.path))
    yield f"## {name}\n\n{_plain(entry.command.help)}\n\n"
    if entry.is_group:
        return
    arguments = [each for each in entry.command.params if each.param_type_name == "argument"]
    options = [each for each in entry.command.params if each not in arguments and not each.hidden]
    usage = " ".join(
        [name, "[OPTIONS]" if options else ""] + [each.name.upper() for each in arguments]
    )
    yield f"```text\n{' '.join(usage.split())}\n```\n\n"
    yield _table(
        "| argument, option | takes | default | |",
        (
            (
                f"`{each.name.upper()}`"
                if each in arguments
                else ", ".join(f"`{word}`" for word in (*each.opts, *each.secondary_opts)),
                "" if getattr(each, "is_flag", False) else _metavar(each),
                _default(each),
                _plain(each.help),
            )
            for each in (*arguments, *options)
        ),
    )
    yield "```bash\n" + "\n".join(entry.examples) + "\n```\n\n"


def _metavar(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return ", ".join(f"`{choice.value}`" for choice in annotation)
    several = ", repeatable" if parameter.multiple else ""
    return f"{_type(get_args(annotation)[0] if several else annotation)}{several}"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value in (None, False, (), []) or callable(value):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _config() -> Iterator[str]:
    yield "## The top\n\n"
    yield _fields(RunConfig)
    engines: list[type[BaseModel]] = [
        each for each in get_args(get_args(EngineConfig)[0]) if inspect.isclass(each)
    ]
    done: set[type[BaseModel]] = set()
    for name, field in RunConfig.model_fields.items():
        for section in _models(field.annotation):
            yield from _section(name, section, done, set(engines))
    yield "## model: the engines\n\nWherever a role names a `model`, `engine` says which of these.\n\n"
    for engine in engines:
        title = typing.cast("str", engine.model_fields["engine"].default)
        yield f"### engine: {title}\n\n{_doc(engine)}\n\n{_fields(engine)}"


def _section(
    name: str, section: type[BaseModel], done: set[type[BaseModel]], apart: set[type[BaseModel]]
) -> Iterator[str]:
    """A section, then what stands inside it and was not shown yet."""
    if section in apart:
        return
    yield f"## {name}\n\n{_doc(section)}\n\n{_fields(section)}"
    for key, field in section.model_fields.items():
        kinds = _models(field.annotation)
        for inner in kinds:
            if inner not in done:
                done.add(inner)
                named = inner.model_fields.get("name") if len(kinds) > 1 else None
                kind = f": {named.default}" if named is not None else ""
                yield from _section(f"{name}.{key}{kind}", inner, done, apart)


def _fields(model: type[BaseModel]) -> str:
    return _table(
        "| key | type | default | |",
        (
            (f"`{name}`", _type(field.annotation), _value(field), field.description or "")
            for name, field in model.model_fields.items()
        ),
    )


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, however it is wrapped."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if _models(annotation):
        kinds = _models(annotation)
        if len(kinds) == 1:
            return "section"
        by_engine = "engine" in kinds[0].model_fields
        return "[engine](#model-the-engines)" if by_engine else "name or section"
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    if origin is Union or str(origin) == "<class 'types.UnionType'>":
        return " or ".join(_type(part) for part in parts)
    if origin is typing.Annotated:
        return _type(parts[0])
    if annotation is type(None):
        return "null"
    if origin is not None:
        inner = ", ".join(_type(part) for part in parts if part is not Ellipsis)
        return f"{origin.__name__} of {inner}".replace("tuple of", "list of")
    return getattr(annotation, "__name__", str(annotation))


def _value(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel) or value == ():
        return ""
    return f"`{'null' if value is None else value}`"


def _environment() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None or field.default_factory else f"`{field.default}`"
        yield f"| `COMD_{name.upper()}` | {default} | {_plain(field.description)} |\n"
    yield "| `COMD_DEBUG` | | Show tracebacks and debug logs, as `comd --debug`. |\n"
    yield "| `NO_COLOR` | | No colours, whatever the terminal can do. |\n"


def _table(head: str, rows: Iterator[tuple[str, ...]] | Any) -> str:
    line = "|" + "---|" * (head.count("|") - 1)
    body = "\n".join("| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows)
    return f"{head}\n{line}\n{body}\n\n"


def _cell(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")


def _doc(model: type[BaseModel]) -> str:
    return _plain(inspect.getdoc(model) if model.__doc__ else "")


def _plain(text: str | None) -> str:
    """Help as Markdown: what looks like a tag is none."""
    return inspect.cleandoc(text or "").replace("<", "&lt;").replace("\f", "")
