"""The site of the documentation: it builds without warnings, needs no other host, and its generated pages are whole."""

import dataclasses
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from cloome_kedro.cli import COMMANDS
from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.parameters.base import settings_of
from cloome_kedro.parameters.checks import GROUPS
from cloome_kedro.parameters.model import MODEL_KINDS
from project import ROOT

HOOKS = runpy.run_path(str(ROOT / "docs" / "hooks.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loaded(HTMLParser):
    """Collects what a page loads, and pictures without a description."""

    def __init__(self):
        super().__init__()
        self.addresses: list[str] = []
        self.undescribed: list[str] = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "img" and not given.get("alt"):
            self.undescribed.append(given["src"])
        if tag in ("script", "img", "iframe", "source") and "src" in given:
            self.addresses.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect", "preload", "dns-prefetch"):
            self.addresses.append(given["href"])


def test_nothing_is_loaded_from_other_hosts(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert loaded.addresses
        assert not [address for address in loaded.addresses if re.match(r"(https?:)?//", address)], page
        assert not loaded.undescribed, page
    sheets = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheets)


def test_every_parameter_has_a_row(site):
    page = (site / "reference" / "parameters.html").read_text()
    sections = dict(re.findall(r'<h[23] id="([^"]+)">(.*?)(?=<h[23]|</article>)', page, re.DOTALL))
    for name, group in GROUPS.items():
        found = {row.replace(".….", ".") for row in re.findall(r"<td><code>([^<]+)</code></td>", sections[name])}
        wanted = {setting.removesuffix(".name") for setting, _ in _own_settings(group)}
        missing = {row for row in wanted - found if not any(other.startswith(f"{row}.") for other in found)}
        assert not missing, name
    assert set(MODEL_KINDS) <= set(sections)
    for registry in (VIEWS, ENCODERS, OBJECTIVES):
        for entry in registry:
            text = sections[f"{registry.kind}-{entry}".replace(" ", "-")]
            for field in dataclasses.fields(registry.settings(registry[entry])):
                assert f"<code>{field.name}" in text


def _own_settings(group):
    """Settings of a group without those of registered parts, which have tables of their own."""
    entries = {name.rpartition(".")[0] for name, _ in settings_of(group, "") if name.endswith(".name")}
    for name, hint in settings_of(group, ""):
        if not any(name.startswith(f"{entry}.") and not name.endswith(".name") for entry in entries):
            yield name, hint


def test_every_command_has_a_section(site):
    page = (site / "reference" / "commands.html").read_text()
    assert re.findall(r'<h2 id="cloome-([\w-]+)">', page) == list(COMMANDS)
    assert "<code>--smiles TEXT</code></td>\n<td>A structure.</td>" in page


def test_formulas_need_no_script(site):
    source, page = (ROOT / "docs/explanation/method.md").read_text(), (site / "explanation/method.html").read_text()
    assert page.count('display="block"') == source.count("$$") / 2 > 5
    assert "arithmatex" not in page
    assert "<math" in page


def test_a_formula_is_mathml():
    inline = HOOKS["on_page_content"](r'<p><span class="arithmatex">\(a &lt; b^2\)</span> and <b>x</b></p>')
    assert inline.startswith("<p><math")
    assert "<mo>&#x0003C;</mo><msup><mi>b</mi><mn>2</mn></msup>" in inline
    assert inline.endswith("</math> and <b>x</b></p>")


@dataclasses.dataclass
class Inner:
    """A part.

    Attributes
    ----------
    low, high
        Ends of the range, see
        :func:`a.b`.
    """

    low: float
    high: float | None = None


class Outer(BaseModel):
    """All of it."""

    count: Annotated[int, Field(ge=1)] = Field(default=1000, le=5000, description="how many")
    kind: Literal["a", "b"]
    part: Inner
    parts: dict[str, Inner] = Field(default={}, description="by name")


def test_rows_say_type_limits_default_and_meaning():
    rows = list(HOOKS["settings"](Outer, {"kind": "b", "part": {"low": 2}}))
    text = "Ends of the range, see :func:`a.b`."
    assert rows == [
        ("count", "whole number at least 1 at most 5,000", "`1000`", "how many"),
        ("kind", "`a` or `b`", "`b`", ""),
        ("part.low", "number", "`2`", text),
        ("part.high", "number, or null", "`null`", text),
        ("parts", "text → Inner", "`{}`", "by name"),
        ("parts.….low", "number", "none, required", text),
        ("parts.….high", "number, or null", "`null`", text),
    ]


def test_other_text_stays():
    assert HOOKS["on_page_markdown"]("a <!-- other --> b") == "a <!-- other --> b"
