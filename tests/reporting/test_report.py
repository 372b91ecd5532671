"""Templates: values are escaped, none may be missing, and figures are put in by their names."""

import re
from pathlib import Path

import pandas as pd
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from cloome_kedro.reporting import report as report_module
from cloome_kedro.reporting.headline import Card
from cloome_kedro.reporting.report import embed, render, render_report, render_section
from cloome_kedro.reporting.style import Look

REAL, SIMULATED = Look(models={"cloome": "CLOOME"}), Look("", "simulated data", {"cloome": "CLOOME"})
TABLE = pd.DataFrame({"": ["<script>"], "number": ["1"]})


def data_part(look):
    return render(
        "data.html.j2",
        look,
        counts=TABLE,
        rejected_fields=TABLE,
        rejected_compounds=TABLE.iloc[:0],
        stripped=TABLE.iloc[:0],
        label_joins=TABLE.iloc[:0],
        replicates=TABLE.iloc[:0],
        has_images=True,
        panels_caption="<b>",
    )


def report(look, **replaced):
    values = {
        "title": "<title>",
        "fold": "test",
        "confidence": 0.95,
        "joint": {},
        "comparisons": {},
        "has_data_report": True,
        "facts": {"screen": "<made up>"},
        "run": {"Study": {"seed": "7"}},
        "cards": [Card("A & B", "random", 0.5, 0.25, 0.75, 0.1, "top-1, n = 7", others={"Other": 0.2})],
    }
    sections = {"random": "<section id='random'>part</section>"}
    nothing = {"tables": [], "audits": None, "audit_blocks": {}, "missing": []}
    supplement = render("supplement.html.j2", look, data_note="ours: <made up>", **nothing)
    return render_report(sections, data_part(look), supplement, look, **(values | replaced))


def test_missing_values_are_errors():
    with pytest.raises(UndefinedError, match="title"):
        render_report({}, "", "", REAL)
    names = ("counts", "rejected_fields", "rejected_compounds", "stripped", "label_joins", "replicates")
    tables = dict.fromkeys(names, TABLE)
    with pytest.raises(UndefinedError, match="panels_caption"):
        render("data.html.j2", REAL, has_images=True, **tables)


def test_values_are_escaped_and_sections_are_not():
    html = report(REAL)
    assert "<script>" not in html
    assert html.count('<th scope="row">&lt;script&gt;</th>') == 2
    assert "<figcaption>&lt;b&gt;</figcaption>" in html
    assert "<title>&lt;title&gt;</title>" in html
    assert "ours: &lt;made up&gt;" in html
    assert "<section id='random'>part</section>" in html
    assert html.count('<section id="supplement">') == 1
    assert '<a href="#supplement">' in html
    assert '<a href="#random">Random split</a>' in html
    assert "<h3>A &amp; B</h3>" in html
    assert "screen <strong>&lt;made up&gt;</strong>" in html
    assert 'class="interval" style="left:25.00%;width:50.00%"' in html
    assert '25.0 % – 75.0 %; <span class="keep">chance 10.0 %</span><br>top-1, n = 7' in html
    assert "<dt>Other</dt><dd>20.0 %</dd>" in html
    assert not re.search(r"&#|&amp;", re.search(r"<style>(.*)</style>", html, re.S).group(1)), "CSS is not escaped"


def test_what_is_simulated_is_said():
    assert "imulated" not in report(REAL)
    html = report(SIMULATED)
    assert "SIMULATED DATA" in html
    assert "<title>&lt;title&gt; (simulated data)</title>" in html


def test_a_report_without_results_says_so():
    assert "<p>No results.</p>" in report(REAL, cards=[])
    assert "<p>No results.</p>" not in report(REAL)


def test_folds_of_a_cross_validation_are_shown_together():
    assert "All folds together" not in report(REAL)
    html = report(REAL, joint={"5 × random_fold: 20 candidates (full pool)": TABLE})
    assert "<h3>All folds together</h3>" in html
    assert "<h4>5 × random_fold: 20 candidates (full pool)</h4>" in html


def test_comparisons_are_shown_if_there_are_any():
    assert "Comparison" not in report(REAL)
    html = report(REAL, comparisons={"<mine>": Markup("<p>CLOOME: above</p>")})
    assert '<a href="#comparison">Comparison</a>' in html
    assert "<h3>List <code>&lt;mine&gt;</code></h3>\n<p>CLOOME: above</p>" in html


def test_rows_of_the_first_model_stand_out():
    table = pd.DataFrame({"method": ["Profile model", "CLOOME"], "top-1": ["1 %", "2 %"]})
    names = ("rejected_fields", "rejected_compounds", "stripped", "label_joins", "replicates")
    values = dict.fromkeys(names, table.iloc[:0]) | {
        "panels_caption": "",
        "has_images": True,
    }
    look = Look(models={"profile": "Profile model", "cloome": "CLOOME"})
    html = render("data.html.j2", look, counts=table, **values)
    assert re.findall(r'<tr class="model"><th scope="row">(.*?)</th>', html) == ["Profile model"]
    assert 'class="model"' not in render("data.html.j2", Look(), counts=table.assign(method=""), **values)


def test_figures_are_put_in_by_their_names():
    html = data_part(REAL)
    assert re.findall(r'src="([^"]*)"', html) == ["figure:fields"]
    filled = embed(html + html, {"fields": "data:image/svg+xml;base64,PHN2Zz4=", "other": "data:,"})
    assert re.findall(r'src="([^"]*)"', filled) == ["data:image/svg+xml;base64,PHN2Zz4="] * 2
    assert "figure:" not in filled
    assert embed("<p>figure:fields</p>", {}) == "<p>figure:fields</p>", "text is no figure"


def test_a_missing_figure_is_named():
    with pytest.raises(KeyError, match="fields"):
        embed(data_part(REAL), {"other": "data:,"})


def test_a_section_lists_its_parts():
    html = render_section("random", {"Zero-shot": "<p>one</p>", "Folds and training": "<p>two</p>"}, REAL)
    assert '<section id="random">' in html
    assert '<a href="#random-folds-and-training">Folds and training</a>' in html
    opened = '<details class="part" id="random-zero-shot" open>\n<summary><h3>Zero-shot</h3></summary>\n<p>one</p>'
    assert opened in html


TEMPLATES = Path(report_module.__file__).parent / "templates"
DOCS = Path(__file__).parents[2] / "docs"


def test_links_to_the_documentation_lead_to_its_pages():
    text = "".join(path.read_text() for path in TEMPLATES.glob("*.j2"))
    pages = set(re.findall(r'docs\("([^"#]+)(?:#[^"]*)?"', text))
    assert len(pages) > 8
    assert [page for page in sorted(pages) if not (DOCS / f"{page}.md").is_file()] == []
    assert f'href="docs:{min(pages)}"' not in report_module.link_documentation(report(SIMULATED), "https://a.b/{page}")


def luminance(colour):
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_enough_contrast():
    """4.5 : 1 is the level AA of WCAG 2."""
    css = (TEMPLATES / "report.css").read_text()
    colours = {name: code * 2 if len(code) == 4 else code for name, code in re.findall(r"--(\w+): (#\w+)", css)}
    colours["paper"], colours["page"] = "#ffffff", "#f4f6f8"
    assert colours["page"] in css
    for text in ("ink", "soft", "accent"):
        for ground in ("paper", "page", "warn"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) > 4.5, (text, ground)
