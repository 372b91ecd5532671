from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.imaging.config import Normalisation, ProfileColumns
from cloome_kedro.imaging.profile_plates import join_plates

NORMALISED = Normalisation(method=None)
COLUMNS = ProfileColumns()
KEYS = [f"{letter * 14}-UHFFFAOYSA-N" for letter in "ABCD"]


def plate(name, features, rng, controls=8):
    """Four compounds in two wells each, then controls. A feature is noise around its number."""
    n = 8 + controls
    table = pd.DataFrame(
        {
            "Metadata_Plate": name,
            "Metadata_Well": [f"{'ABCDEFGH'[i % 8]}{1 + i // 8:02d}" for i in range(n)],
            "Metadata_InChIKey": [*KEYS, *KEYS, *[KEYS[0]] * controls],
            "Metadata_moa": [*["one", "one", "two", "three"] * 2, *[None] * controls],
            "Metadata_control_type": [*[None] * 8, *["negcon"] * controls],
            "Metadata_Count_Cells": np.arange(n) + 10,
            "Metadata_Site_Count": 9,
        }
    )
    return table.assign(**{feature: rng.normal(i, 2, n) for i, feature in enumerate(features)})


@pytest.fixture
def tables():
    rng = np.random.default_rng(0)
    return {"p.csv": plate("P_20X", ["a", "b", "c"], rng), "q.csv": plate("Q_40X", ["c", "x", "a"], rng)}


def test_plates_are_joined_on_common_features(tables):
    wells, rejected = join_plates(tables, COLUMNS, NORMALISED)
    assert rejected.empty
    described = ["field_id", *(f"Metadata_{name}" for name in ("Plate", "Well", "InChIKey", "moa", "Count"))]
    assert list(wells) == [*described, "a", "c"]
    assert len(wells) == 16  # controls are left out
    assert wells["field_id"].tolist()[::8] == ["P_20X/A01", "Q_40X/A01"]
    np.testing.assert_allclose(wells["a"], np.concatenate([table["a"][:8] for table in tables.values()]), rtol=1e-6)
    assert wells["Metadata_Count"].iloc[0] == pytest.approx(10 / 17.5)  # the plate's median counts controls too


def test_cells_need_not_be_counted(tables):
    wells, _ = join_plates(tables, ProfileColumns(cells=None), NORMALISED)
    assert wells["Metadata_Count"].isna().all()
    uncounted = {name: table.drop(columns="Metadata_Count_Cells") for name, table in tables.items()}
    pd.testing.assert_frame_equal(join_plates(uncounted, ProfileColumns(cells=None), NORMALISED)[0], wells)
    with pytest.raises(
        ValueError, match=r"p.csv has no column Metadata_Count_Cells; name it in params:profile_moa.columns"
    ):
        join_plates(uncounted, COLUMNS, NORMALISED)


def test_a_plate_imaged_twice_is_one_plate(tables):
    tables["again.csv"] = tables["p.csv"].assign(Metadata_Plate="P_40X")
    wells, _ = join_plates(tables, ProfileColumns(physical_plate="^(.+?)_"), NORMALISED)
    assert wells.groupby("Metadata_Plate").size().to_dict() == {"P": 16, "Q": 8}
    assert wells["field_id"].is_unique
    with pytest.raises(ValueError, match=r"p.csv: .*physical_plate does not match the plate 'P_20X'"):
        join_plates(tables, ProfileColumns(physical_plate="^(plate)"), NORMALISED)


@pytest.mark.parametrize("controls", [8, 3])
def test_each_plate_is_normalised_against_its_controls_where_it_has_enough(controls, caplog):
    table = plate("P", ["a"], np.random.default_rng(1), controls)
    wells, _ = join_plates({"p.csv": table}, COLUMNS, Normalisation(method="standardize"))
    reference = table["a"][8:] if controls == 8 else table["a"]
    expected = (table["a"][:8] - reference.mean()) / reference.std(ddof=0)
    np.testing.assert_allclose(wells["a"], expected, rtol=1e-5)
    assert ("has 3 control wells, fewer than profile_moa.normalise.minimum_controls (8)" in caplog.text) == (
        controls == 3
    )


def test_values_are_clipped_and_what_is_missing_becomes_0_or_drops_the_feature(tables):
    tables["p.csv"].loc[0, ["a", "c"]] = [np.inf, 1e6]
    wells, _ = join_plates(tables, COLUMNS, replace(NORMALISED, na_cutoff=0.07, clip=5))
    assert wells.loc[0, ["a", "c"]].tolist() == [0, 5]
    wells, _ = join_plates(tables, COLUMNS, replace(NORMALISED, na_cutoff=0.05))
    assert "a" not in wells
    assert "c" in wells


def test_wells_that_cannot_be_asked_about_are_set_aside_with_the_reason(tables):
    tables["p.csv"].loc[0, "Metadata_InChIKey"] = np.nan
    tables["p.csv"].loc[1, "Metadata_InChIKey"] = "unknown"
    tables["q.csv"].loc[2, "Metadata_moa"] = None
    wells, rejected = join_plates(tables, COLUMNS, NORMALISED)
    assert len(wells) == 13
    assert rejected.to_numpy().tolist() == [
        ["P_20X/A01", "no InChIKey in Metadata_InChIKey"],
        ["P_20X/B01", "no InChIKey in Metadata_InChIKey"],
        ["Q_40X/C01", "no mechanism in Metadata_moa"],
    ]


def test_bad_tables_are_named(tables):
    good = tables["p.csv"]
    for change, message in (
        (good.drop(columns="Metadata_moa"), "q.csv has no column Metadata_moa"),
        (good.assign(Metadata_Well="here"), "q.csv, line 2: Metadata_Well 'here' is not a well"),
        (good.rename(columns={"a": "x", "b": "y", "c": "z"}), "p.csv, q.csv have no numeric feature in common"),
        (good, "p.csv, q.csv: well P_20X/A01 is in the tables twice"),
    ):
        with pytest.raises(ValueError, match=message):
            join_plates({"p.csv": good, "q.csv": change}, COLUMNS, NORMALISED)
    with pytest.raises(ValueError, match="0 treated wells have a structure and a mechanism"):
        join_plates({"p.csv": good.assign(Metadata_moa=None)}, COLUMNS, NORMALISED)
