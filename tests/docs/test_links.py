"""Links of the files that are not part of the site lead somewhere. MkDocs checks those of the site."""

import re

import pytest

from project import ROOT


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "conf/jump_example/README.md"])
def test_links_lead_somewhere(name):
    path = ROOT / name
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text())
    assert not [link for link in links if not link.startswith("http") and not (path.parent / link).exists()]


def test_messages_name_pages_that_exist():
    """Errors, comments and notebooks send a user to a page."""
    files = [path for folder in ("src", "conf", "notebooks") for path in (ROOT / folder).rglob("*.*")]
    texts = {path: path.read_text() for path in files if path.suffix in (".py", ".yml", ".ipynb", ".j2")}
    pages = {page for text in texts.values() for page in re.findall(r"docs/[\w/-]+\.md", text)}
    assert len(pages) > 10
    assert not [page for page in sorted(pages) if not (ROOT / page).is_file()]
