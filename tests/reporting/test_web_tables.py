"""Tables in the HTML report: cells, widths, and their files."""

import re

import pandas as pd
import pytest

from cloome_kedro.reporting.report import environment
from cloome_kedro.reporting.web_tables import cell, link_tables, numeric, room, slug

RESULTS = pd.DataFrame({"method": ["CLOOME", "Random"], "top-1": ["12.3 % (9.1–16.0)", "1.0 %"], "n": ["1,280", "–"]})


def shown(table, title="Results", **options):
    """A table as a template shows it."""
    macros = environment().get_template("macros.html.j2").make_module({"model": "CLOOME"})
    return str(macros.table(table, title, **options))


@pytest.mark.parametrize(
    "text",
    [
        *("5", "1,280", "17.1", "-0.002", "12.3 %", "12.3 % (9.1–16.0)", "43.1 ± 1.2 % (39.9–46.2)", "44.5 ± 3.0 %"),
        *("50.0–100.0 %", "18 of 28"),
        *("+12.9 (+10.6 to +15.4)", "0.719 ± 0.166 (0.685–0.752)", "0.713 (0.690–0.735)", "3.026 (2.338–3.848)"),
    ],
)
def test_numbers_are_numbers(text):
    assert numeric(pd.Series([text, "–"]))
    assert not numeric(pd.Series([text, "reference"]))


@pytest.mark.parametrize("text", ["–", "", "AAA ~ BBB (0.97)", "5-FU", "rotation ±10°", "0.1 – 0.3", "(1)"])
def test_other_texts_are_not(text):
    assert not numeric(pd.Series([text]))


def test_a_cell_keeps_its_text():
    for text in RESULTS["top-1"]:
        html = str(cell(text, number=True))
        assert re.sub("<[^>]*>", "", html).replace("\xa0", " ") == text
    assert str(cell("12.3 % (9.1–16.0)", number=True)).count('<span class="interval">') == 1
    assert str(cell("A" * 30, number=False)) == f'<span class="long">{"A" * 30}</span>'
    assert "<b>" not in cell("<b>" + "A" * 30, number=False)


def test_wide_tables_are_known():
    assert room(RESULTS[["method", "n"]]) == "narrow"
    assert room(RESULTS.assign(**{f"top-{k}": "100.0 % (98.6–100.0)" for k in (5, 10)})) == "medium"
    assert room(RESULTS.assign(**{f"top-{k}": "100.0 % (98.6–100.0)" for k in range(2, 8)})) == "wide"
    assert room(RESULTS.iloc[:0]) == "narrow"


def test_columns_and_rows_have_headers():
    html = shown(RESULTS)
    assert html.count('<th scope="col"') == 3
    assert re.findall(r'<th scope="row">(.*?)</th>', html) == ["CLOOME", "Random"]
    assert re.findall(r'<th scope="col" class="number">(.*?)</th>', html) == ["top-1", "n"]
    assert '<tr class="model"><th scope="row">CLOOME</th>' in html
    assert '<table class="narrow" aria-label="Results">' in html


def test_each_table_has_a_file_with_the_cells_that_are_shown():
    hostile = pd.DataFrame({"<name>": ["a & b", "two\nlines", 'q"uote'], "n": ["1", "2", "3"]})
    html = f'<section id="data">{shown(RESULTS)}{shown(hostile, "A & B")}</section><details class="part" id="random-x">'
    html += shown(RESULTS.iloc[:1], folded=True) + "</details>"
    linked, tables = link_tables(html)
    assert list(tables) == ["data-results", "data-a-b", "random-x-results"]
    assert re.findall(r'href="([^"]*)"', linked) == [f"tables/{name}.csv" for name in tables]
    pd.testing.assert_frame_equal(tables["data-results"], RESULTS, check_dtype=False)
    pd.testing.assert_frame_equal(tables["data-a-b"], hostile, check_dtype=False)
    assert len(tables["random-x-results"]) == 1
    assert link_tables(linked) == (linked, {})


def test_tables_of_one_name_do_not_replace_each_other():
    _, tables = link_tables('<section id="data">' + shown(RESULTS) + shown(RESULTS.iloc[:1]) + "</section>")
    assert {name: len(table) for name, table in tables.items()} == {"data-results": 2, "data-results-2": 1}


def test_a_table_with_a_file_of_another_dataset_is_not_saved_again():
    linked, tables = link_tables(shown(RESULTS, path="supplement/table_7.csv") + shown(RESULTS, path=""))
    assert tables == {}
    assert re.findall(r'href="([^"]*)"', linked) == ["supplement/table_7.csv"]


def test_names_of_files_are_plain():
    assert slug("../../etc/passwd <x>") == "etc-passwd-x"
    assert len(slug("x" * 300)) == 60
    assert slug("漢") == "table"
