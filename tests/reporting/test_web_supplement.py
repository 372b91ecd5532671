"""The supplement on a screen: nothing of the printed tables is lost."""

import pandas as pd

from cloome_kedro.reporting.audits import audit_table
from cloome_kedro.reporting.cells import ABSENT
from cloome_kedro.reporting.supplement import supplement_tables
from cloome_kedro.reporting.web_supplement import OURS, OVER_DRAWS, PUBLISHED, audit_blocks, by_source
from synthetic_study import LOOK, make_study


def test_every_value_of_the_printed_tables_is_shown():
    tables = supplement_tables(make_study()["metrics"], "ours: simulated", LOOK)
    for name, sheet in tables.items():
        found = by_source(sheet.table)
        values = sheet.table.drop(columns=["Method", "Split"])
        expected = sorted(cell for cell in values.to_numpy().ravel() if cell not in (ABSENT, ""))
        shown = found.drop(columns=["Method", "Split", "Source"]).to_numpy().ravel()
        assert sorted(cell for cell in shown if cell not in (ABSENT, "")) == expected, name
        assert not found.columns.str.contains("ublished|over draws").any(), name
        assert found.shape[1] <= 11, name


def test_a_row_says_where_its_values_are_from():
    table = pd.DataFrame(
        {
            "Split": ["Random", "Random"],
            "Method": ["CLOOME", "Other"],
            "Top-1 (%)": ["5", ABSENT],
            "Top-1 (%), over draws": ["5 ± 1", ABSENT],
            "Published top-1 (%)": ["7", "8"],
            "n": ["9", ABSENT],
        }
    )
    found = by_source(table)
    assert found.columns.tolist() == ["Method", "Split", "Source", "Top-1 (%)", "n"]
    assert found.to_numpy().tolist() == [
        ["CLOOME", "Random", OURS, "5", "9"],
        ["", "", OVER_DRAWS, "5 ± 1", ABSENT],
        ["", "", PUBLISHED, "7", ABSENT],
        ["Other", "Random", PUBLISHED, "8", ABSENT],
    ]


def test_blocks_of_audits_have_every_row_and_no_empty_column():
    study = make_study()
    table = audit_table(
        study["metrics"], study["differences"], study["leaks"].assign(split="random"), "ours", LOOK
    ).table
    blocks = audit_blocks(table)
    tables = [rows for block in blocks.values() for rows in block.values()]
    assert sum(map(len, tables)) == len(table)
    assert sorted(cell for rows in tables for cell in rows["Value"]) == sorted(table["Value"])
    assert all((rows != ABSENT).any().all() for rows in tables)
    assert "retrieval, random split" in blocks
    assert "clean images, top-1 (%)" in blocks["retrieval, random split"]
    assert "number of compounds" in blocks["split leaks, random split"]
