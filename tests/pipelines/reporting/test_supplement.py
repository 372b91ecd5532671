"""The supplement's node: which table goes to which dataset, of one split or two, with much found or nothing."""

import pytest

from cloome_kedro.pipelines.reporting import create_pipeline
from report_run import PARAMETERS, handed_over, run_node
from synthetic_study import make_study


@pytest.fixture(scope="module")
def studies():
    return {split: make_study(split) for split in ("random", "scaffold")}


def run(studies):
    return run_node(create_pipeline(list(studies)), "write_supplement", handed_over(studies) | PARAMETERS)


@pytest.fixture(scope="module")
def outputs(studies):
    return run(studies)


def test_every_table_has_its_dataset(outputs):
    for number in range(8, 13):
        assert outputs[f"supplement_table_{number}"].title.startswith(f"SI table {number}:")
        assert f"SI table {number}" in outputs[f"supplement_table_{number}_clean"].title
    tables = {name: table for name, table in outputs.items() if name.startswith("supplement_table")}
    assert len(tables) == 11
    for name, found in tables.items():
        assert "the screen made_up (SIMULATED)" in found.notes[0]
        ours = found.table.filter(regex=r"^(Top-1 \(%\)$|AUC, mean)")
        assert ours.map(lambda cell: cell[0].isdigit()).any(axis=None), name


def test_both_splits_are_where_they_belong(studies, outputs):
    for split, study in studies.items():
        query = "direction == 'compound to image' and pool == 'sampled' and shown_by == 'field' and metric == 'top-1'"
        metric = study["metrics"].query(f"draws == 1 and method == 'CLOOME' and images == 'clean' and {query}").iloc[0]
        table = outputs["supplement_table_7"].table
        row = table[(table["Split"] == split.capitalize()) & (table["Method"] == "CLOOME (image retr.)")].iloc[0]
        assert row["Top-1 (%)"].startswith(f"{100 * metric['value']:#.3g} (")
    audits = outputs["supplement_audits"].table
    assert audits.groupby("Split")["Audit"].nunique().to_dict() == {"random": 5, "scaffold": 5}


def test_a_split_of_ones_own_without_other_tasks(studies):
    study = studies["random"]
    alone = study["metrics"].query("task == 'retrieval' and images == 'clean'").assign(split="provided")
    bare = study | {"metrics": alone, "differences": study["differences"].iloc[:0]}
    found = run({"provided": bare})
    assert "Provided" in found["supplement_table_7"].table["Split"].tolist()
    audits = found["supplement_audits"].table
    assert set(audits["Audit"]) == {"retrieval", "split leaks"}
    assert set(audits["Split"]) == {"provided"}
