"""The page in a real browser: every way to ask, links, keyboard, narrow and wide windows, no other origin."""

import csv
import io
import re
import threading
import time
from contextlib import contextmanager, suppress
from itertools import pairwise

import pytest
import tifffile

import small_index
from browser import Watch, chromium, scrolls_sideways, wait_until
from cloome_kedro.imaging.channels import CHANNELS

pytestmark = pytest.mark.slow
WIDTHS = (400, 1600)


@pytest.fixture(scope="module")
def origin(app):
    import uvicorn

    from cloome_kedro.cli.serve import listen

    listener = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser, origin):
    """Function that opens a page, and checks it at the end: no errors, no other origin, no sideways scrolling."""
    contexts = []

    @contextmanager
    def open_page(path="/", width=1600, mistakes=0, **options):
        context = browser.new_context(viewport={"width": width, "height": 1000}, accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        watch = Watch(page, origin)
        page.goto(origin + path)
        wait_until(page, "document.getElementById('about').textContent.includes('made_up')")
        yield page
        assert not scrolls_sideways(page)
        assert watch.foreign == []
        # Chromium reports each answer with a status of 4xx.
        unexpected = [text for text in watch.problems if "422" not in text]
        assert (unexpected, len(watch.problems)) == ([], mistakes)

    yield open_page
    for context in contexts:
        context.close()


def hits(page, heading):
    """Keys of the hits, once the answer with a heading is there."""
    wait_until(
        page,
        "text => document.querySelector('#asked h3')?.textContent.includes(text) &&"
        " document.getElementById('answer').getAttribute('aria-busy') === 'false'",
        heading,
    )
    return page.eval_on_selector_all("#hits > li", "items => items.map(item => item.dataset.key)")


def is_painted(page, selector="#hits canvas"):
    """Whether pictures have different colours."""
    return page.eval_on_selector_all(
        selector,
        """all => all.length > 0 && all.every(one => {
            const data = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
            return new Set(data).size > 20; })""",
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_ask_by_structure(open_page, client, width):
    with open_page(width=width) as page:
        assert page.is_visible("#simulated")
        page.fill("#smiles", "CC(=O)Nc1ccc(O)cc1")
        page.click("#structure-form button[type=submit]")
        found = hits(page, "paracetamol")
        expected = client.get("/api/indexes/made_up-random-cloome/answer", params={"smiles": "CC(=O)Nc1ccc(O)cc1"})
        assert found == [hit["key"] for hit in expected.json()["hits"]]
        assert is_painted(page)
        assert page.locator(".sets li").count() == 2
        assert "measured 79.0" in page.text_content(".sets")
        assert "worth" in page.text_content("#hits > li")
        assert "the model was not trained on it" in page.text_content(".notes")
        before = page.eval_on_selector("#hits canvas", "one => one.toDataURL()")
        page.click("#channels button[data-channel=DNA]")
        without = page.eval_on_selector("#hits canvas", "one => one.toDataURL()")
        page.fill("#contrast", "1.5")
        page.dispatch_event("#contrast", "change")
        brighter = page.eval_on_selector("#hits canvas", "one => one.toDataURL()")
        assert len({before, without, brighter}) == 3
        assert "channels=Mito%2CER%2CRNA%2CAGP" in page.url
        assert "contrast=1.5" in page.url


@pytest.mark.parametrize("width", WIDTHS)
def test_ask_by_well_and_for_more(open_page, width):
    with open_page(width=width) as page:
        page.click("#tab-well")
        page.select_option("#plate", "P1")
        page.wait_for_selector("[aria-label='Wells of the plate P1']")
        page.click(".well[data-place='0,2']")
        found = hits(page, "P1 A03")
        assert page.locator(".hits.compounds img").count() == len(found) == 7
        wait_until(page, "[...document.querySelectorAll('#hits img')].some(one => one.naturalWidth > 0)")
        assert page.get_attribute(".well[data-place='0,2']", "aria-pressed") == "true"
        assert "aspirin" in page.text_content("#well-readout")
        page.select_option("#plate-colour", "compound")
        assert page.locator(".well.twin").count() == 1
        page.locator("#hits > li").first.get_by_role("button", name="More like this").click()
        wait_until(page, "!document.querySelector('#asked h3').textContent.includes('P1 A03')")
        assert hits(page, "similar to")[0] == found[0]  # the compound itself
        assert "same side" in page.text_content("#sets")
        assert page.evaluate("document.activeElement.id") == "answer-heading"
        page.go_back()
        assert hits(page, "P1 A03") == found


def test_a_late_answer_does_not_replace_the_chosen_plate(open_page):
    with open_page() as page:
        late = []
        page.route("**/plate?plate=O*", lambda route: late.append(route))  # it is answered last
        with page.expect_request("**/plate?plate=O*"):
            page.click("#tab-well")
        page.select_option("#plate", "P1")
        page.wait_for_selector("[aria-label='Wells of the plate P1']")
        with page.expect_response("**/plate?plate=O*"):
            late[0].continue_()
        page.wait_for_timeout(300)  # nothing happens, so nothing can be waited for
        assert page.get_attribute("#plate-map", "aria-label") == "Wells of the plate P1"


def write_files(folder, suffix="DNA"):
    paths = []
    for channel, plane in zip(CHANNELS, small_index.invented_fields(1, seed=7, side=64)[0], strict=True):
        paths.append(folder / f"P1_A01_{channel if suffix == 'DNA' else 'x' + channel[:0] + str(len(paths))}.tif")
        tifffile.imwrite(paths[-1], plane)
    return paths


@pytest.mark.parametrize("width", WIDTHS)
def test_ask_by_files(open_page, tmp_path, width):
    paths = write_files(tmp_path)
    text = tmp_path / "DNA_text.tif"
    text.write_text("no image")
    with open_page(width=width, mistakes=1) as page:
        page.click("#tab-images")
        page.set_input_files("#files", paths[:3])
        wait_until(page, "document.getElementById('files-error').textContent.includes('3 files are chosen')")
        page.set_input_files("#files", [*paths[:4], text])
        wait_until(page, "document.querySelectorAll('#file-list select').length === 5")
        page.click("#upload-form button[type=submit]")
        wait_until(page, "document.getElementById('files-error').textContent.includes('neither TIFF nor PNG')")
        page.set_input_files("#files", paths[::-1])
        wait_until(page, "document.querySelector('#file-list select').value === 'DNA'")
        assert page.input_value("#scaled-by") == "P1"  # all names contain it
        page.click("#upload-form button[type=submit]")
        assert len(hits(page, "your images")) == 7
        assert page.url.rstrip("?/").endswith("tab=images")  # files are in no link
        page.select_option("#filter-fold", "test")
        wait_until(page, "document.querySelectorAll('#hits > li').length === 2")


def test_channels_of_files_can_be_chosen(open_page, tmp_path):
    with open_page() as page:
        page.click("#tab-images")
        page.set_input_files("#files", write_files(tmp_path, suffix=""))
        wait_until(page, "document.querySelectorAll('#file-list select').length === 5")
        chosen = page.eval_on_selector_all("#file-list select", "all => all.map(one => one.value)")
        assert chosen == list(CHANNELS)
        page.locator("#file-list select").first.select_option("ER")
        page.click("#upload-form button[type=submit]")
        assert "No file is given for Mito" in page.text_content("#files-error")
        page.locator("#file-list select").nth(1).select_option("Mito")
        page.click("#upload-form button[type=submit]")
        assert len(hits(page, "your images")) == 7


def test_a_link_reproduces_the_view(open_page):
    with open_page() as page:
        page.select_option("#index", "made_up-random-ridge")
        wait_until(page, "document.getElementById('about').textContent.includes('Ridge')")
        assert "CLOOME can" in page.text_content("#advice")
        assert page.is_disabled("#smiles")
        page.select_option("#index", "made_up-random-cloome")
        wait_until(page, "document.getElementById('about').textContent.includes('CLOOME')")
        page.fill("#compound", "aspirin")
        page.press("#compound", "Enter")
        hits(page, "aspirin")
        page.select_option("#filter-plate", small_index.PLATES[1])
        page.select_option("#top", "10")
        page.click("#channels button[data-channel=RNA]")
        wait_until(page, "document.querySelectorAll('#hits > li').length === 10")
        found = hits(page, "aspirin")
        page.wait_for_load_state("networkidle")  # all images have come
        picture = page.eval_on_selector("#hits canvas", "one => one.toDataURL()")
        link = page.url
    with open_page(link[link.index("/", 8) :]) as page:
        assert hits(page, "aspirin") == found
        assert page.input_value("#filter-plate") == small_index.PLATES[1]
        assert page.input_value("#top") == "10"
        drawn = "picture => document.querySelector('#hits canvas').toDataURL() === picture"
        page.wait_for_function(drawn, arg=picture)  # the image comes after the list
        assert "Candidate sets hold for a search of the whole index" in page.text_content("#sets")


def test_the_table_is_downloaded(open_page):
    with open_page(f"/?well=made_up/{small_index.PLATES[1]}/A01&tab=well") as page:
        found = hits(page, "A01")
        with page.expect_download() as started:
            page.click("#csv")
        with open(started.value.path(), newline="", encoding="utf-8") as file:
            text = file.read()
        assert started.value.suggested_filename == "made_up-random-cloome_compounds.csv"
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["key"] for row in rows] == found
    names = {name for name, *_ in small_index.COMPOUNDS}
    assert {row["compound"].removeprefix("'") for row in rows} == names
    assert all(not row["compound"].startswith("=") for row in rows)  # no formula


def draw_benzene(page):
    """Choose the benzene ring in the toolbar of the editor, and set it into an empty sheet."""
    page.fill("#smiles", "")
    page.wait_for_timeout(500)
    box = page.locator("#editor").bounding_box()
    page.mouse.click(box["x"] + 205, box["y"] + 36)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    wait_until(page, "document.getElementById('smiles').value === 'c1ccccc1'", seconds=5)


def test_the_structure_editor_works_without_a_network(open_page):
    with open_page() as page:
        page.fill("#smiles", "Oc1ccccc1")
        page.click("#draw")
        frame = page.frame_locator("#editor")
        frame.locator("svg").first.wait_for()
        editor = next(frame for frame in page.frames if frame.url.endswith("/editor"))
        wait_until(editor, "document.querySelectorAll('svg text').length > 0 || document.body.innerText.length > 0")
        # The editor does not tell when it takes clicks: a loaded machine needs more than one try.
        for _ in range(5):
            with suppress(AssertionError):
                draw_benzene(page)
                break
        assert page.input_value("#smiles") == "c1ccccc1"
        page.click("#structure-form button[type=submit]")
        assert hits(page, "c1ccccc1")


def test_the_map_is_clicked(open_page):
    with open_page("/?tab=map") as page:
        wait_until(page, "document.getElementById('map-note').textContent.includes('explain')")
        page.focus("#map")
        for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
            page.keyboard.press(key)
        readout = page.text_content("#map-readout")
        assert re.match("(field|compound)", readout)
        page.keyboard.press("Enter")
        assert hits(page, "similar to")
        page.uncheck("#map-fields")
        page.select_option("#map-colour", "fold")
        assert "validation" in page.text_content("#map-legend")
        box = page.locator("#map").bounding_box()
        places = ((right, down) for down in range(10, 400, 12) for right in range(10, 400, 12))
        for right, down in places:  # until a compound is near
            page.mouse.move(box["x"] + right, box["y"] + down)
            if page.text_content("#map-readout").startswith("compound"):
                break
        page.mouse.down()
        page.mouse.up()
        name = page.text_content("#map-readout").removeprefix("compound: ").split(",")[0]
        assert hits(page, name)


def test_keyboard_alone(open_page):
    """Tab reaches everything in the order of the page. A well is asked, a filter set, and a hit followed."""
    with open_page() as page:
        press = page.keyboard.press
        press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        for _ in range(2):
            press("Tab")
        assert page.evaluate("document.activeElement.id") == "tab-structure"
        press("ArrowRight")
        assert page.evaluate("document.activeElement.id") == "tab-well"
        page.wait_for_selector(".well")
        for _ in range(3):
            press("Tab")
        assert "well" in page.evaluate("document.activeElement.className")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft"):
            press(key)
        assert page.evaluate("document.activeElement.dataset.place") == "1,1"
        press("Enter")
        assert hits(page, "B02")
        wait_until(page, "document.getElementById('live').textContent.includes('7 compounds found')")
        assert page.evaluate("document.activeElement.dataset.place") == "1,1"  # the focus stays
        press("Tab")
        assert page.evaluate("document.activeElement.id") == "kind"
        for _ in range(40):
            if "More like this" in page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"):
                break
            press("Tab")
        press("Enter")
        wait_until(page, "document.activeElement.id === 'answer-heading'")


def test_mistakes_are_shown_near_their_control(open_page):
    with open_page(mistakes=2) as page:
        page.click("#structure-form button[type=submit]")
        assert page.text_content("#smiles-error") == "Write a SMILES, or draw a structure."
        page.fill("#smiles", "C((")
        page.press("#smiles", "Enter")
        wait_until(page, "document.getElementById('smiles-error').textContent.includes('cannot be embedded')")
        assert page.get_attribute("#smiles", "aria-invalid") == "true"
        page.fill("#compound", "asprin")
        page.press("#compound", "Enter")
        wait_until(page, "document.getElementById('compound-error').textContent.includes('aspirin')")
        assert page.text_content("#smiles-error") == ""
        page.fill("#compound", "aspirin")
        page.press("#compound", "Enter")
        assert hits(page, "aspirin")
        assert page.text_content("#compound-error") == ""


def test_hostile_names_are_texts(open_page):
    with open_page("/?compound=UFWIBTONFRDIAS-UHFFFAOYSA-N&for=compounds") as page:
        hits(page, '<b onclick="alert(1)">bold</b>')
        assert page.locator("#hits b, #asked b").count() == 0


def test_every_control_has_a_name(open_page):
    with open_page("/?well=made_up/P1/A01&tab=well&for=fields") as page:
        hits(page, "P1 A01")
        unnamed = page.evaluate(
            """() => [...document.querySelectorAll('button, input, select, textarea, canvas, iframe, img')]
              .filter(one => !(one.labels?.length || one.getAttribute('aria-label') || one.textContent.trim()
                || one.title || one.alt)).map(one => one.outerHTML)"""
        )
        assert unnamed == []
        headings = page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(one => Number(one.tagName[1]))")
        assert all(later - earlier <= 1 for earlier, later in pairwise(headings))
        ids = page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(open_page, scheme):
    """WCAG AA: 4.5 between texts and what is behind them."""
    with open_page("/?compound=aspirin", color_scheme=scheme) as page:
        hits(page, "aspirin")
        low = page.evaluate(
            r"""() => {
              const parse = text => text.match(/[\d.]+/g).map(Number);
              const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
                .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
                .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
              const behind = one => {
                for (let at = one; at; at = at.parentElement) {
                  const colour = parse(getComputedStyle(at).backgroundColor);
                  if (colour.length === 3 || colour[3] > 0) return colour;
                }
                return parse(getComputedStyle(document.body).backgroundColor);
              };
              return [...document.querySelectorAll('h1,h2,h3,h4,p,li,label,legend,button,span,select,strong,output')]
                .filter(one => one.checkVisibility() &&
                  [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
                .filter(one => !one.disabled)
                .map(one => {
                  const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
                  return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), one.textContent.trim().slice(0, 40)];
                }).filter(([ratio]) => ratio < 4.5);
            }"""
        )
        assert low == []
