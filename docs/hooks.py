"""What MkDocs does besides its plugins: pages of parameters and commands from their classes, and formulas as MathML.

A line ``<!-- parameters -->`` in a page becomes the tables of all parameters, and ``<!-- commands -->`` the options of
all commands. Formulas between ``$`` are converted when the site is built, so that no script is needed to show them.
"""

import dataclasses
import html
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

ROOT = Path(__file__).parents[1]
_BASIC = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    Any: "any value",
    type(None): "null",
}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Put the tables of parameters and of commands in the place of their marks."""
    for mark, made in (("<!-- parameters -->", parameters), ("<!-- commands -->", commands)):
        markdown = markdown.replace(mark, made()) if mark in markdown else markdown
    return markdown


def on_page_content(content: str, **kwargs: Any) -> str:
    """Convert formulas to MathML."""

    def convert(found: re.Match) -> str:
        from latex2mathml.converter import convert

        return convert(html.unescape(found[2]), display="block" if found[1] == "div" else "inline")

    return re.sub(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', convert, content, flags=re.DOTALL)


def parameters() -> str:
    """All parameters as Markdown: one table for each group, kind of model, and registered part."""
    from cloome_kedro.parameters.checks import GROUPS
    from cloome_kedro.parameters.environment import Globals, RunNames
    from cloome_kedro.parameters.model import MODEL_KINDS

    values = _base()
    texts = ["## globals.yml", _described(Globals, values["globals"])]
    texts += ["## Names of a run", _described(RunNames, {})]
    for name, group in GROUPS.items():
        texts += [f"## {name}", _described(group, values["parameters"].get(name) or {})]
    texts.append("## models\n\nAn entry of `models:` has a `kind`. Without it, the kind is `contrastive`.")
    for kind, group in MODEL_KINDS.items():
        texts += [f"### {kind}", _described(group, {})]
    for registry in _registries():
        texts.append(f"## Registered: {registry.kind}")
        for entry in registry:
            texts += [f"### {registry.kind} {entry}", _described(registry.settings(registry[entry]), {})]
    return "\n\n".join(texts)


def commands() -> str:
    """The commands of ``cloome`` as Markdown: usage, description, and one row for each option."""
    import click

    from cloome_kedro.cli import COMMANDS, cloome

    texts = []
    for name in COMMANDS:
        command = cloome.get_command(click.Context(cloome), name)
        context = click.Context(command, info_name=f"cloome {name}")
        usage = command.get_usage(context).partition(" ")[2].replace("\n", " ")
        texts += [f"## cloome {name}", f"```text\n{' '.join(usage.split())}\n```"]
        texts += [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]
        records = [option.get_help_record(context) for option in command.params]
        rows = [f"| `{_cell(option)}` | {_cell(text)} |" for option, text in filter(None, records)]
        texts.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(texts)


def settings(group: type, values: Any = None, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and description of every setting of a pydantic model or dataclass.

    Parameters
    ----------
    group
        The class.
    values
        Values of the configuration. They are the defaults that are shown; other defaults are those of the class.
    prefix
        Beginning of the names.
    """
    values = values if isinstance(values, Mapping) else {}
    for name, hint, default, description in _fields(group):
        registry = _registry(hint)
        inner = [kind for kind in (hint, *get_args(hint)) if _is_group(kind)]
        shown = values.get(name, default)
        if registry is not None and isinstance(shown, Mapping):
            shown = shown.get("name", shown)
        if not inner:
            kind = f"{registry.kind}: {', '.join(f'`{entry}`' for entry in registry)}" if registry else type_text(hint)
            yield f"{prefix}{name}", kind, _shown(shown), description
        elif hint not in inner:
            yield f"{prefix}{name}", type_text(hint), _shown(shown), description
        for nested in dict.fromkeys(inner):
            is_one = get_origin(hint) not in (list, dict)
            yield from settings(nested, shown if is_one else {}, f"{prefix}{name}." if is_one else f"{prefix}{name}.….")


def type_text(hint: Any) -> str:
    """Text of a type, with its limits.

    >>> type_text(list[int] | None)
    'list of whole number, or null'
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated and (registry := _registry(hint)) is not None:
        return f"{registry.kind} ({', '.join(f'`{entry}`' for entry in registry)})"
    if origin is Annotated:
        return " ".join([type_text(arguments[0]), *_limits(arguments[1:])])
    if origin is Literal:
        return " or ".join(f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return ", or ".join(type_text(part) for part in arguments)
    if origin in (list, tuple):
        kinds = dict.fromkeys(type_text(part) for part in arguments if part is not Ellipsis)
        return f"list of {' or '.join(kinds)}"
    if origin is dict:
        return f"{type_text(arguments[0])} → {type_text(arguments[1])}"
    return _BASIC.get(hint, getattr(hint, "__name__", str(hint)))


def _limits(annotations: tuple[Any, ...]) -> Iterator[str]:
    parts = [part for annotation in annotations for part in getattr(annotation, "metadata", [annotation])]
    for name, text in _BOUNDS.items():
        for part in parts:
            if isinstance(value := getattr(part, name, None), int | float):
                yield f"{text} {value:,}"


def _fields(group: type) -> Iterator[tuple[str, Any, Any, str]]:
    """Name, type, default and description of the fields of a class."""
    from pydantic import BaseModel

    if issubclass(group, BaseModel):
        for name, field in group.model_fields.items():
            default = "required" if field.is_required() else field.get_default(call_default_factory=True)
            yield name, field.rebuild_annotation(), default, field.description or ""
        return
    hints, texts = get_type_hints(group, include_extras=True), _attributes(inspect.getdoc(group) or "")
    for field in dataclasses.fields(group):
        default = "required" if field.default is dataclasses.MISSING else field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        yield field.name, hints[field.name], default, texts.get(field.name, "")


def _attributes(docstring: str) -> dict[str, str]:
    """Texts of the section Attributes of a docstring in the style of numpy; names that share a text are split."""
    section = re.search(r"^Attributes\n-+\n(.*?)(?=\n\S[^\n]*\n-+\n|\Z)", docstring, re.DOTALL | re.MULTILINE)
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else []:
        if line and not line[0].isspace():
            names = [name.strip() for name in line.partition(" : ")[0].split(",")]
        else:
            texts |= {name: f"{texts.get(name, '')} {line.strip()}".strip() for name in names}
    return texts


def _described(group: type, values: Any) -> str:
    """Summary of a class, and the table of its settings."""
    summary = (inspect.getdoc(group) or "").partition("\nAttributes\n")[0].partition("\nExamples\n")[0]
    rows = [
        f"| `{name}` | {_cell(text)}{'<br>' if text else ''}*{_cell(kind)}; default:* {default} |"
        for name, kind, default, text in settings(group, values)
    ]
    table = "\n".join(["| setting | meaning |", "|---|---|", *rows]) if rows else "It has no settings."
    return f"{_plain(summary)}\n\n{table}"


def _plain(text: str) -> str:
    """Markdown of a text in reStructuredText."""
    text = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    return re.sub(r"(?<![\w`])\*\*?(?=\w)|(?<=\w)\*\*?(?![\w`])", "", text) if "`" not in text else text


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _shown(value: Any) -> str:
    """Text of a default, shortened if it is long."""
    if value == "required":
        return "none, required"
    if dataclasses.is_dataclass(value):
        value = getattr(value, "name", type(value).__name__)
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else None
    value = value.replace(f"{ROOT}/", "") if isinstance(value, str) else value
    text = text or re.sub(r"'(\w+)'", r"\1", str(list(value) if isinstance(value, tuple) else value))
    text = text.replace("None", "null") if isinstance(value, Mapping | list | tuple) else text
    return f"`{text}`".replace("|", "\\|") if len(text) <= 60 else f"`{text[:56]} …`".replace("|", "\\|")


def _is_group(hint: Any) -> bool:
    from pydantic import BaseModel

    return isinstance(hint, type) and (issubclass(hint, BaseModel) or dataclasses.is_dataclass(hint))


def _registry(hint: Any) -> Any:
    """Registry of a setting that names an entry of one; None for other settings."""
    from cloome_kedro.parameters.base import Named

    found = [annotation for annotation in get_args(hint) if isinstance(annotation, Named)]
    return found[0].registry() if found else None


def _registries() -> list[Any]:
    from cloome_kedro.evaluation.corrections import CORRECTIONS
    from cloome_kedro.learning.encoders import ENCODERS
    from cloome_kedro.learning.objectives import OBJECTIVES
    from cloome_kedro.learning.views import VIEWS

    return [VIEWS, ENCODERS, OBJECTIVES, CORRECTIONS]


def _base() -> dict[str, Any]:
    """``globals`` and ``parameters`` of ``conf/base``."""
    from kedro.config import OmegaConfigLoader

    from cloome_kedro.settings import CONFIG_LOADER_ARGS

    loader = OmegaConfigLoader(str(ROOT / "conf"), env="base", **CONFIG_LOADER_ARGS)
    return {"globals": loader["globals"], "parameters": loader["parameters"]}
