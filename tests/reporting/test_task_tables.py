"""Tables of zero-shot classification, probing, corruptions and leaks."""

import pytest

from cloome_kedro.reporting import task_tables
from cloome_kedro.reporting.style import Look
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_zero_shot_table_is_of_the_published_protocol(study):
    table = task_tables.zero_shot_table(study["metrics"], "zero-shot MoA", LOOK).set_index("method")
    assert table.index.tolist() == ["CLOOME", "Profiles", "Untrained", "Plate only", "Cell count only", "Random"]
    rows = study["metrics"].query(
        "images == 'clean' and task == 'zero-shot MoA' and method == 'CLOOME' and pool == 'full' and excluded == 'none'"
        " and metric == 'top-1'"
    )
    one, more = (rows.query(f"draws {sign} 1").iloc[0] for sign in ("==", ">"))
    assert table.loc["CLOOME", "top-1"].startswith(f"{100 * one['value']:.1f} % ({100 * one['low']:.1f}–")
    assert table.loc["CLOOME", "top-1 over draws"] == f"{100 * more['value']:.1f} ± {100 * more['spread']:.1f} %"
    assert table.loc["Random", ["top-1", "top-1 over draws", "classes", "n"]].tolist() == ["11.1 %", "–", "9", "50"]


def test_exclusions_have_a_column_each_and_gaps_are_dashes(study):
    metrics = study["metrics"]
    table = task_tables.exclusion_table(metrics, "zero-shot MoA", LOOK)
    assert table["method"].tolist() == [
        "CLOOME", "Profiles", "Untrained", "Plate only", "Cell count only", "Random"
    ]  # fmt: skip
    assert table.columns.tolist() == [
        "method", "any reference", "other wells", "other plates", "other compounds", "other plates and compounds",
        "same plate, other wells",
    ]  # fmt: skip
    assert task_tables.exclusion_table(metrics, "zero-shot compound", LOOK).shape[1] == 5
    less = metrics[(metrics["method"] != "Profiles") | (metrics["excluded"] != "well") | (metrics["pool"] != "full")]
    gaps = task_tables.exclusion_table(less, "zero-shot MoA", LOOK).set_index("method")
    assert (gaps == "–").sum(axis=None) == 1
    assert gaps.loc["Profiles", "other wells"] == "–"
    assert task_tables.exclusion_table(metrics.iloc[:0], "zero-shot MoA", LOOK).empty


def test_costs_are_signed_points_by_what_is_left_out(study):
    differences = study["differences"]
    table = task_tables.exclusion_costs(differences, "zero-shot MoA", LOOK).set_index("method")
    row = differences.query(
        "task == 'zero-shot MoA' and method == 'CLOOME' and excluded == 'plate' and metric == 'top-1'"
    ).iloc[0]  # fmt: skip
    cell = table.loc["CLOOME", "other plates"]
    assert cell == f"{100 * row['difference']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"
    assert table.shape == (5, 5)
    assert task_tables.exclusion_costs(differences, "zero-shot compound", LOOK).shape[1] == 4
    assert task_tables.exclusion_costs(differences.query("task == 'probing'"), "zero-shot MoA", LOOK).empty


def test_method_differences_name_task_setting_and_method(study):
    differences = study["differences"]
    table = task_tables.method_differences(differences[differences["task"].str.startswith("zero-shot")])
    assert set(table["against"]) == {"Profiles", "Untrained", "Plate only", "Cell count only"}
    assert set(table["candidates"]) == {"any reference"}
    retrieval = differences.query("task == 'retrieval' and images == 'clean'")
    assert "method Oracle (phenotype)" in set(retrieval["against"])
    table = task_tables.method_differences(retrieval)
    assert set(table["against"]) == {"Bilinear"}
    assert set(table["task"]) == {"image → compound", "compound → image"}
    assert set(table["candidates"]) >= {"full pool", "full pool, mean of fields"}
    table = task_tables.method_differences(differences.query("task == 'probing'"), ("mean AUC",))
    assert "candidates" not in table
    assert len(table) == 4


def test_probing_table_has_means_spreads_and_counts(study):
    table = task_tables.probing_table(study["metrics"], LOOK).set_index("method")
    scores = study["probing_scores"].query("method == 'CLOOME' and scored")["auc"]
    auc = study["metrics"].query(
        "task == 'probing' and method == 'CLOOME' and metric == 'mean AUC' and images == 'clean'"
    ).iloc[0]  # fmt: skip
    interval = f"({auc['low']:.3f}–{auc['high']:.3f})"
    assert table.loc["CLOOME", "AUC"] == f"{scores.mean():.3f} ± {scores.std():.3f} {interval}"
    assert table.loc["CLOOME", "> 0.8"] == str((scores > 0.8).sum())
    assert table.loc["CLOOME", "assays"] == "11"
    assert table.loc["Random", ["AUC", "F1", "> 0.9"]].tolist() == ["0.500", "–", "–"]
    assert task_tables.probing_table(study["metrics"], LOOK, "random_flip").empty
    changed = task_tables.probing_table(study["metrics"], LOOK, "random_flip_small_rotation")
    assert changed["method"].tolist() == ["CLOOME", "Random"]


def test_assays_without_a_score_are_counted_by_reason(study):
    table = task_tables.unscored_assays(study["probing_scores"], LOOK)
    assert table.to_numpy().tolist() == [["1", "no inactive compound in the fold test", "assay_11"]]
    assert task_tables.unscored_assays(study["probing_scores"], Look(models={"bilinear": "Bilinear"})).empty


def test_corruptions_stand_under_their_clean_counterpart(study):
    table = task_tables.corruption_table(study["metrics"], study["differences"], LOOK)
    blocks = table.groupby(["task", "candidates"], sort=False)["images"].agg(list)
    assert blocks["image → compound", "full pool"] == [
        "clean", "random flip", "rotation ±10°", "flip + rotation ±10°", "rotation ±180°", "gaussian blur"
    ]  # fmt: skip
    assert blocks["zero-shot MoA", "any reference"] == ["clean", "flip + rotation ±10°"]
    assert (table["top-1 minus clean (points)"] == "–").sum() == (table["images"] == "clean").sum() == len(blocks)
    other = Look(models={"bilinear": "Bilinear"})
    assert task_tables.corruption_table(study["metrics"], study["differences"], other).empty


def test_corrupted_fields_are_summed_up(study):
    fields = study["corrupted_fields"]
    seen = {"random_flip": "yes", "large_rotation": "partly"}
    marked = fields.assign(augmentation=fields["corruption"].map(seen).fillna("no"))
    table = task_tables.corrupted_summary(marked).set_index("images")
    turned = fields.query("corruption == 'large_rotation'")["black"]
    assert table.loc["rotation ±180°", "black, mean"] == f"{100 * turned.mean():.1f} %"
    assert table.loc["random flip", ["black, maximum", "fields with black", "shown in training"]].tolist() == [
        "0.0 %", "0 %", "yes"
    ]  # fmt: skip
    assert table.loc["gaussian blur", "shown in training"] == "no"
    assert table.loc["rotation ±180°", "shown in training"] == "partly"
    effects = task_tables.corruption_table(study["metrics"], study["differences"], LOOK, seen)
    assert {"clean", "random flip (in training)", "rotation ±180° (partly in training)", "rotation ±10°"} <= set(
        effects["images"]
    )


def test_leaks_have_one_row_per_pair_of_folds_that_has_compounds(study):
    table = task_tables.leak_table(study["leaks"].assign(of=[14, 0] * 3))
    assert table.to_dict("records") == [
        {
            **{"fold": "test", "shared with": "train", "compounds": "14"},
            **{"structure": "0", "scaffold": "3", "near-duplicate": "3"},
            "example of a near-duplicate": "AAA ~ BBB (0.97)",
        }
    ]
    without = study["leaks"].assign(example=None)
    assert task_tables.leak_table(without)["example of a near-duplicate"].tolist() == ["–", "–"]
    assert task_tables.leak_table(study["leaks"].iloc[:0]).empty
