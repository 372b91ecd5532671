"""Commands and code in the documentation."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from project import ROOT

_BLOCK = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
_SHELL = ("bash", "console", "sh")
_VARIABLE = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Block:
    """Code of a page."""

    place: str
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command of a page, as words; variables of the environment before it are left out."""

    place: str
    words: tuple[str, ...]

    def __str__(self):
        return shlex.join(self.words)


def pages() -> list[Path]:
    """All pages of the documentation, and the files beside the README."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks() -> Iterator[Block]:
    """Yield the fenced blocks of all pages."""
    for path in pages():
        text = path.read_text()
        for found in _BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            lines = [line_.removeprefix(found[1]) for line_ in found[3].splitlines()]
            yield Block(f"{path.relative_to(ROOT)}:{line}", found[2], "\n".join(lines))


def block_commands() -> Iterator[Command]:
    """Yield the commands of all blocks of shell code."""
    for block in blocks():
        if block.language in _SHELL:
            yield from commands(block.text, block.place)


def inline_commands() -> Iterator[Command]:
    """Yield commands in the text that begin with the name of a program of the project."""
    for path in pages():
        text = _BLOCK.sub("", path.read_text())
        for found in re.findall(r"`((?:kedro run|cloome|make) [^`]*)`", text):
            yield from commands(" ".join(found.split()), str(path.relative_to(ROOT)))


def commands(text: str, place: str) -> Iterator[Command]:
    """Split shell code into commands. A loop is its first round.

    >>> [str(command) for command in commands("for k in 1 2; do\\n  A=b kedro run --params seed=$k  # why\\ndone", "")]
    ['kedro run --params seed=1']
    """
    values: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] == ["for"]:
            values[f"${words[1]}"] = words[3].rstrip(";")
            continue
        for variable, value in values.items():
            words = [word.replace(variable, value) for word in words]
        for part in _split(words, "&&"):
            while part and _VARIABLE.match(part[0]):
                part = part[1:]
            if part and part != ["done"]:
                yield Command(place, (part[0].rpartition("/")[2], *part[1:]))


def _split(words: list[str], separator: str) -> Iterator[list[str]]:
    start = 0
    for end, word in enumerate([*words, separator]):
        if word == separator:
            yield words[start:end]
            start = end + 1
