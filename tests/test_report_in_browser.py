"""The report of a study in a browser, at the widths of a desk, of half a desk and of a phone."""

import re

import pytest

pytestmark = pytest.mark.slow

DESK, HALF, PHONE = 1280, 800, 400
#: boxes that are narrower than what is in them, all parts of the report being open
CUT = """() => {
  document.querySelectorAll("details").forEach(part => part.open = true);
  return [...document.querySelectorAll(".scroll")].filter(box => box.scrollWidth > box.clientWidth).map(box => ({
    what: (box.querySelector("table") || {}).ariaLabel || (box.querySelector("img") || {}).alt,
    hidden: box.scrollWidth - box.clientWidth,
    shadow: getComputedStyle(box).backgroundImage.split("linear-gradient").length - 1,
    hint: getComputedStyle(box.parentElement, "::before").content,
  }));
}"""


@pytest.fixture(scope="module")
def path(study):
    (path,) = study.folder.glob("data/08_reporting/*/default/seed_0/report.html")
    return path


@pytest.fixture
def page(browser, path):
    """The report, in which no JavaScript of a page runs."""
    context = browser.new_context(java_script_enabled=False, viewport={"width": DESK, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()


@pytest.mark.parametrize("width", [DESK, HALF])
def test_nothing_is_cut(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.locator(".scroll").count() > 40
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_what_a_phone_cuts_has_a_cue_and_the_page_does_not_move_sideways(page):
    page.set_viewport_size({"width": PHONE, "height": 800})
    cut = page.evaluate(CUT)
    assert cut, "wide tables scroll"
    for box in cut:
        assert box["shadow"] == 4 or "→" in box["hint"], box["what"]
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE


@pytest.mark.parametrize("width", [DESK, HALF, PHONE])
def test_the_contents_stay_in_sight(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    for target in ("random", "run"):
        page.evaluate("name => document.getElementById(name).scrollIntoView()", target)
        link = page.locator(f'nav.contents a[href="#{target}"]').first
        top = link.bounding_box()["y"]
        assert 0 <= top < 800
        heading = page.locator(f"#{target} h2").bounding_box()
        assert 0 < heading["y"] < 400
        if width < DESK:
            bar = page.locator("nav.contents").bounding_box()
            assert heading["y"] >= bar["y"] + bar["height"], "the contents hide the heading"
            assert bar["height"] < 120


def test_parts_fold_by_keyboard(page):
    part = page.locator("#random-retrieval")
    summary, content = part.locator("> summary"), part.locator("figure").first
    assert content.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    assert not content.is_visible()
    page.keyboard.press("Space")
    assert content.is_visible()


def test_long_audits_are_folded_on_the_screen_and_open_on_paper(page):
    folded = page.locator("details.table:not([open]) table, details.sheet:not([open]) table")
    assert folded.count() > 10
    assert not any(table.is_visible() for table in folded.all())
    page.emulate_media(media="print")
    assert all(table.is_visible() for table in folded.all())
    assert not page.locator("nav.contents").is_visible()


def test_links_lead_to_files_and_parts(page, path):
    links = [link.get_attribute("href") for link in page.locator("a").all()]
    tables = [link for link in links if link.endswith(".csv")]
    assert len(tables) > 30
    assert len(set(tables)) == len(tables)
    for link in links:
        assert not re.match(r"table:|docs:|https?:", link), link
        if link.startswith("#"):
            assert page.locator(f"[id='{link[1:]}']").count() == 1, link
        elif link.endswith(".csv"):
            assert (path.parent / link).is_file(), link
    assert sorted(path.parent.glob("tables/*.csv")) == sorted(
        path.parent / link for link in tables if link.startswith("tables/")
    )
