"""Tables that say in plain words how sure an answer is."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.reporting import uncertainty_tables as tables
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def row_of(sets, **values):
    rows = sets
    for name, value in values.items():
        rows = rows[rows[name] == value]
    (row,) = rows.to_dict("records")
    return row


def test_there_is_a_row_for_each_question_and_level(study):
    sets = study["candidate_sets"]
    table = tables.set_table(sets, LOOK)
    measured = sets[(sets["method"] == LOOK.model) & sets["coverage"].notna()]
    assert len(table) == len(measured) / 2
    assert table["wanted"].unique().tolist() == ["80 %", "90 %", "95 %"]
    first = row_of(sets, method="CLOOME", direction="image to compound", shown_by="field", level=0.8, kind="first k")
    shown = table[(table["question"] == "image → compound, one field") & (table["wanted"] == "80 %")].iloc[0]
    assert shown["list the first"] == f"{first['size_median']:g} of 28"
    assert shown["true one listed"].startswith(f"{100 * first['coverage']:.1f} % (")


def test_a_coverage_below_the_expected_range_is_too_low(study):
    sets = study["candidate_sets"].assign(coverage=0.5, expected_low=0.7, expected_high=0.9, level=0.8)
    sets = sets.drop_duplicates([*("task", "method", "direction", "shown_by", "excluded", "kind")])
    assert set(tables.set_table(sets, LOOK)["verdict"]) == {"too low, -30.0 points"}
    assert "less than the expected 70.0 to 90.0 %" in tables.sentences(sets, LOOK)[0]
    assert set(tables.set_table(sets.assign(coverage=0.75), LOOK)["verdict"]) == {"as expected"}
    assert set(tables.set_table(sets.assign(coverage=0.95), LOOK)["verdict"]) == {"higher"}


def test_a_list_of_all_candidates_is_no_achievement(study):
    sets = study["candidate_sets"].query("coverage.notna()")
    everything = sets.assign(size_mean=sets["candidates"], size_median=sets["candidates"], coverage=1.0)
    assert set(tables.set_table(everything, LOOK)["verdict"]) == {"all are listed"}
    assert tables.sentences(everything, LOOK) == []


def test_sentences_have_both_directions(study):
    found = tables.sentences(study["candidate_sets"], LOOK)
    assert [text.partition(":")[0] for text in found] == ["image → compound", "compound → image"]
    assert all("with 90 % (measured " in text and " of 28 " in text for text in found)


def test_other_methods_are_compared_at_one_level(study):
    table = tables.set_comparison(study["candidate_sets"], LOOK)
    assert set(table["method"]) == {"Bilinear"}
    assert set(table["wanted"]) == {"90 %"}
    only = study["candidate_sets"].query("method == 'CLOOME'")
    assert tables.set_comparison(only, LOOK).empty


def test_accuracy_of_all_queries_is_the_last_column(study):
    table = tables.answered_table(study["answered"], LOOK)
    assert table.columns.tolist() == ["question", "10 % answered", "25 % answered", "50 % answered", "all"]
    everything = study["answered"].query("method == 'CLOOME' and k == 1 and share == 1.0")
    assert table["all"].str.split(" ").str[0].tolist() == [f"{100 * value:.1f}" for value in everything["accuracy"]]


def test_probabilities_before_and_after_are_in_one_row(study):
    calibration = pd.concat([study["softmax_calibration"], study["probe_calibration"]])
    table = tables.calibration_table(calibration, LOOK)
    assert not table.duplicated(["question", "method"]).any()
    random = table[table["method"] == "Random"].iloc[0]
    assert (random["question"], random["error before"], random["n"]) == ("active in an assay?", "–", "12 assays")
    first = row_of(calibration, method="CLOOME", direction="compound to image", shown_by="mean", calibrated=True)
    shown = table[(table["question"] == "compound → image, mean of fields") & (table["method"] == "CLOOME")].iloc[0]
    assert shown["error after"] == f"{first['error']:.3f}"


def test_familiarity_without_quantiles_has_no_rows(study):
    table = tables.familiarity_table(study["familiarity"], LOOK)
    assert table["method"].tolist() == ["CLOOME", "CLOOME", "Bilinear", "Bilinear"]
    assert table["query"].tolist() == ["image", "structure, by embedding"] * 2
    assert tables.familiarity_table(study["familiarity"].assign(q01=np.nan), LOOK).empty


def test_reasons_name_the_tasks(study):
    sets = study["candidate_sets"].assign(reason=None)
    assert tables.reasons(sets) == []
    sets.loc[sets["task"].str.startswith("zero-shot"), "reason"] = "all candidates are listed"
    assert tables.reasons(sets) == ["Zero-shot compound, zero-shot MoA: all candidates are listed"]
