"""The supplement's node: which table goes to which dataset, of one split or two, with much found or nothing."""

import pandas as pd
import pytest

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters
from cloome_kedro.pipelines.reporting.pipeline import _write_supplement
from cloome_kedro.pipelines.reporting.supplement import TABLES
from synthetic_study import make_study
from synthetic_tasks import make_tasks, nothing

PARAMETERS = {
    "params:reporting": ReportingParameters(title="A study", simulated=True, screen="made_up"),
    "params:retrieval": RetrievalParameters(),
}


@pytest.fixture(scope="module")
def studies():
    made = {split: make_study(split) for split in ("random", "scaffold")}
    studies = {split: study | make_tasks(study, split) for split, study in made.items()}
    for study in studies.values():
        probing = study["probing_metrics"].query("method == 'CLOOME'").assign(images="random_flip_small_rotation")
        study["corruption_metrics"] = pd.concat([study["corruption_metrics"], probing], ignore_index=True)
    return studies


def run(studies):
    inputs = {f"{split}.{name}": study[name] for split, study in studies.items() for name in TABLES}
    return _write_supplement(list(studies)).run(inputs | PARAMETERS)


@pytest.fixture(scope="module")
def outputs(studies):
    return run(studies)


def test_every_table_has_its_dataset(outputs):
    for number in range(8, 13):
        assert outputs[f"supplement_table_{number}"].title.startswith(f"SI table {number}:")
        assert f"SI table {number}" in outputs[f"supplement_table_{number}_clean"].title
    for name, found in outputs.items():
        if name.startswith("supplement_table"):
            assert "the screen made_up (SIMULATED)" in found.notes[0]
            ours = found.table.filter(regex=r"^(Top-1 \(%\)$|AUC, mean)")
            assert ours.map(lambda cell: cell[0].isdigit()).any(axis=None), name


def test_both_splits_are_where_they_belong(studies, outputs):
    for split, study in studies.items():
        query = "direction == 'image retrieval' and pool == 'sampled' and shown_by == 'field' and metric == 'top-1'"
        metric = study["retrieval_metrics"].query(f"draws == 1 and method == 'CLOOME' and {query}").iloc[0]
        table = outputs["supplement_table_7"].table
        row = table[(table["Split"] == split.capitalize()) & (table["Method"] == "CLOOME (image retr.)")].iloc[0]
        assert row["Top-1 (%)"].startswith(f"{100 * metric['value']:#.3g} (")
    audits = outputs["supplement_audits"].table
    assert audits.groupby("Split")["Audit"].nunique().to_dict() == {"random": 5, "scaffold": 5}


def test_section_shows_every_table(outputs):
    section = outputs["supplement_section"]
    assert section.count("<details>") == section.count("<table>") == 11
    assert "<h2>Supplementary tables</h2>" in section
    assert "made_up (SIMULATED)" in section
    assert "Left out" not in section


def test_summary_has_a_block_a_split(outputs):
    lines = outputs["tasks_summary"].splitlines()
    assert "SIMULATED" in lines[0]
    assert [line for line in lines if line.endswith(" split")] == ["random split", "scaffold split"]
    head = lines[3]
    assert "MoA, top-1" in head
    assert "assays, mean AUC" in head
    assert {len(line) for line in lines[4:10]} == {len(head)}
    assert lines[4].startswith("  CLOOME ")
    assert lines[9].startswith("  Random ")
    assert "too narrow" in lines[-1]


def test_a_split_of_ones_own_without_other_tasks(studies):
    study = studies["random"]
    bare = study | nothing({name: study[name] for name in TABLES if name not in ("retrieval_metrics", "leaks")})
    bare["retrieval_metrics"] = study["retrieval_metrics"].assign(split="provided")
    found = run({"provided": bare})
    assert "Provided" in found["supplement_table_7"].table["Split"].tolist()
    assert found["tasks_summary"] == ""
    assert found["supplement_section"].count("<details>") == 2  # sampled and, as of the random split, full
    assert "Left out, since no row of ours is in them" in found["supplement_section"]
    assert set(found["supplement_audits"].table["Audit"]) == {"retrieval", "split leaks"}
