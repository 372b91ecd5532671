import base64
import re

import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure

from cloome_kedro.reporting.headline import Card
from cloome_kedro.reporting.report import data_uri, render_report, render_section


def _figure():
    figure = Figure(figsize=(2, 2))
    figure.subplots().plot([1, 2])
    return figure


def test_charts_are_svg_and_pictures_webp_and_both_repeatable():
    svg, webp = data_uri(_figure()), data_uri(_figure(), photographic=True)
    assert b"<svg" in base64.b64decode(svg.removeprefix("data:image/svg+xml;base64,"))
    assert base64.b64decode(webp.removeprefix("data:image/webp;base64,"))[8:12] == b"WEBP"
    assert data_uri(_figure()) == svg
    assert data_uri(_figure(), photographic=True) == webp


def test_missing_values_are_errors():
    with pytest.raises(UndefinedError, match="title"):
        render_report({}, "", "", simulated=True)


def test_values_are_escaped_and_sections_are_not():
    import pandas as pd

    table = pd.DataFrame({"": ["<script>"], "number": ["1"]})
    values = {
        "fold": "test",
        "confidence": 0.95,
        "cards": [Card("A & B", "random", 0.5, 0.25, 0.75, 0.1, "top-1, n = 7", others={"Other": 0.2})],
        "data": table,
        "panels": "data:,",
        "panels_caption": "<b>",
    }
    html = render_report(
        {"random": "<section id='random'>part</section>"},
        "<section id='supplement'></section>",
        "<figure></figure>",
        title="<title>",
        simulated=False,
        rejected_fields=table,
        rejected_compounds=table.iloc[:0],
        **values,
    )
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 2
    assert "&lt;b&gt;" in html
    assert "<title>&lt;title&gt;</title>" in html
    assert "<section id='random'>part</section>" in html
    assert "<section id='supplement'></section>" in html
    assert '<a href="#supplement">' in html
    assert "<strong>A &amp; B</strong>" in html
    assert 'class="interval" style="left:25.00%;width:50.00%"' in html
    assert "25.0 % – 75.0 %; chance 10.0 %<br>top-1, n = 7" in html
    assert "<br>Other: 20.0 %" in html
    assert "SIMULATED" not in html
    assert not re.search(r"&#|&amp;", re.search(r"<style>(.*)</style>", html, re.S).group(1)), "CSS is not escaped"


def test_a_section_lists_its_parts():
    html = render_section("random", {"Zero-shot": "<p>one</p>", "Folds and training": "<p>two</p>"})
    assert '<a href="#random-folds-and-training">Folds and training</a>' in html
    assert '<h3 id="random-zero-shot">Zero-shot</h3>\n<p>one</p>' in html
