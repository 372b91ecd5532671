"""Mean average precision with and without corrections, on controls that corrections were not fitted to."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.average_precision import replicate_precision
from cloome_kedro.evaluation.corrections import RobustZ, Sphering
from cloome_kedro.evaluation.precision_comparison import _parts, compare_precision, effects_of_corrections
from cloome_kedro.evaluation.profile_moa import correct_profiles

pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")

CONTROLS, COMPOUNDS = 16, 8
PAIRS = [("Profiles, sphered", "Profiles")]


def screen(size, signal, plates=("P", "Q")):
    """Wells of compounds and controls on every plate; controls come last. Noise is the same for both."""
    generator = np.random.default_rng(1)
    of_compound = generator.normal(size=(COMPOUNDS, size)) * signal
    number = np.arange(COMPOUNDS + CONTROLS)
    tables = [
        pd.DataFrame(
            {
                "field_id": [f"{plate}/A{i + 1:02d}" for i in number],
                "plate": plate,
                "well": [f"A{i + 1:02d}" for i in number],
                "inchikey": [f"K{i}" if i < COMPOUNDS else None for i in number],
                "moa": [f"M{i // 2}" if i < COMPOUNDS else None for i in number],
                "control": number >= COMPOUNDS,
            }
        )
        for plate in plates
    ]
    effect = np.concatenate([of_compound, np.zeros((CONTROLS, size))])
    vectors = np.concatenate([effect + generator.normal(size=effect.shape) for _ in plates])
    return pd.concat(tables, ignore_index=True), vectors


def compare(wells, vectors, corrections, pairs=PAIRS, **settings):
    return compare_precision(
        wells, lambda fitted: correct_profiles(wells, vectors, corrections, 4, fitted), pairs, **settings
    )


def test_without_an_effect_sphering_in_many_dimensions_gains_nothing():
    """Controls to which sphering is fitted are near 0 where treated wells are not. So they are no fair negatives."""
    wells, vectors = screen(size=60, signal=0)
    correction = Sphering(regularisation=0.01)
    seen = correct_profiles(wells, vectors, [correction], 4)["Profiles, sphered"].fields.of(wells["field_id"])
    naive = replicate_precision(wells, seen, null_size=10)
    table = compare(wells, vectors, [correction], parts=2).set_index(["matches", "method"])
    plain, fair = (table.loc[("replicates", name)] for name in ("Profiles", "Profiles, sphered"))
    assert naive.value > naive.chance + 0.2, "what would be reported with the same controls"
    for row in (plain, fair):
        assert row["value"] == pytest.approx(row["chance"], abs=0.15)
    assert fair["difference"] < 0.1


def test_the_uncorrected_method_is_the_mean_over_parts_of_the_controls():
    wells, vectors = screen(size=6, signal=1)
    table = compare(wells, vectors, [], pairs=[], parts=2, seed=3)
    assert table["method"].tolist() == ["Profiles", "Profiles"]
    part = _parts(wells, 2, 3)
    by_part = []
    for number in (0, 1):
        rows = (part == number) | ~wells["control"]
        by_part.append(replicate_precision(wells[rows].reset_index(drop=True), vectors[rows], null_size=10))
    assert table["value"][0] == pytest.approx(np.mean([result.value for result in by_part]))
    assert table["chance"][0] == pytest.approx(np.mean([result.chance for result in by_part]))
    assert table["low"][0] < table["value"][0] < table["high"][0]
    assert table["difference"].isna().all()


def test_controls_of_every_plate_are_divided_evenly():
    wells, _ = screen(size=2, signal=0)
    part = _parts(wells, 4, 0)
    assert (part[~wells["control"]] == -1).all()
    for plate in ("P", "Q"):
        rows = (wells["plate"] == plate) & wells["control"]
        assert np.bincount(part[rows]).tolist() == [4, 4, 4, 4]
    assert (part != _parts(wells, 4, 1)).any()


def test_a_correction_that_undoes_the_scale_of_features_helps():
    """Noise is large in one feature, where compounds do not differ."""
    wells, vectors = screen(size=6, signal=2, plates=("P", "Q", "R"))
    vectors[:, 0] = np.random.default_rng(0).normal(size=len(vectors)) * 20
    corrections = [RobustZ(), Sphering(regularisation=0)]
    table = compare(wells, vectors, corrections, [*PAIRS, ("Profiles, robust z", "Profiles")], parts=2)
    for matches in ("replicates", "mechanisms"):
        rows = table[table["matches"] == matches].set_index("method")
        assert rows["n"].eq(COMPOUNDS).all()
        change = rows["value"] - rows.loc["Profiles", "value"]
        np.testing.assert_allclose(rows["difference"].iloc[1:], change.iloc[1:], atol=1e-12)
    replicates = table[table["matches"] == "replicates"].set_index("method")
    assert replicates.loc["Profiles, sphered", "difference"] > 0.1
    assert replicates["against"].iloc[1:].eq("Profiles").all()


def test_effects_join_all_measures():
    metrics = pd.DataFrame(
        [
            ("Profiles", "field", "plate", "top-1", 1, 0.9),
            ("Profiles", "field", "plate", "top-1", 4, 0.5),
            ("Profiles", "field", "none", "top-1", 4, 0.7),
            ("Profiles", "field", "plate", "top-5", 4, 0.7),
            ("Profiles, sphered", "field", "plate", "top-1", 4, 0.6),
            ("Plate only", "field", "plate", "top-1", 4, 0.1),
        ],
        columns=["method", "shown_by", "excluded", "metric", "draws", "value"],
    ).assign(low=0.4, high=0.8, chance=0.1, compounds=7)
    differences = pd.DataFrame(
        {
            "method": ["Profiles, sphered", "Profiles"],
            "shown_by": "field",
            "excluded": "plate",
            "metric": "top-1",
            "against": ["method Profiles", "method Plate only"],
            "difference": [0.1, 0.4],
            "low": [-0.1, 0.3],
            "high": [0.2, 0.5],
        }
    )
    wells, vectors = screen(size=6, signal=1)
    precision = compare(wells, vectors, [Sphering()], parts=2)
    effects = effects_of_corrections(metrics, differences, precision, ["Profiles", "Profiles, sphered"])
    top1 = effects[effects["measure"] == "top-1"]
    assert top1[["method", "value"]].to_numpy().tolist() == [["Profiles", 0.5], ["Profiles, sphered", 0.6]]
    assert top1["against"].tolist()[1] == "Profiles"
    assert top1[["difference", "difference_low", "difference_high"]].iloc[1].tolist() == [0.1, -0.1, 0.2]
    assert top1["difference"].isna().tolist() == [True, False]
    assert effects["measure"].value_counts().to_dict() == {
        "mean average precision of replicates": 2,
        "mean average precision of mechanisms": 2,
        "top-1": 2,
    }
