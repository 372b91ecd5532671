from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.imaging.config import Normalisation
from cloome_kedro.imaging.profile_plates import join_plates
from cloome_kedro.imaging.profile_table import ProfileColumns

NORMALISED = Normalisation(method=None)
COLUMNS = ProfileColumns(features=("^[abcxyz]$",))
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
    wells, rejected, _, controls = join_plates(tables, COLUMNS, NORMALISED)
    assert rejected.empty
    assert list(controls) == ["field_id", "Metadata_Plate", "Metadata_Well", "a", "c"]
    np.testing.assert_allclose(controls["c"], np.concatenate([table["c"][8:] for table in tables.values()]), rtol=1e-6)
    described = ["field_id", *(f"Metadata_{name}" for name in ("Plate", "Well", "InChIKey", "moa", "Count"))]
    assert list(wells) == [*described, "a", "c"]
    assert len(wells) == 16  # controls are left out
    assert wells["field_id"].tolist()[::8] == ["P_20X/A01", "Q_40X/A01"]
    np.testing.assert_allclose(wells["a"], np.concatenate([table["a"][:8] for table in tables.values()]), rtol=1e-6)
    assert wells["Metadata_Count"].iloc[0] == pytest.approx(10 / 17.5)  # the plate's median counts controls too


def test_cells_need_not_be_counted(tables):
    wells, *_ = join_plates(tables, replace(COLUMNS, cells=None), NORMALISED)
    assert wells["Metadata_Count"].isna().all()
    uncounted = {name: table.drop(columns="Metadata_Count_Cells") for name, table in tables.items()}
    pd.testing.assert_frame_equal(join_plates(uncounted, replace(COLUMNS, cells=None), NORMALISED)[0], wells)
    with pytest.raises(
        ValueError, match=r"p.csv has no column Metadata_Count_Cells; name it in params:profile_moa.columns"
    ):
        join_plates(uncounted, COLUMNS, NORMALISED)


def test_a_plate_imaged_twice_is_one_plate(tables):
    tables["again.csv"] = tables["p.csv"].assign(Metadata_Plate="P_40X")
    wells, *_ = join_plates(tables, replace(COLUMNS, physical_plate="^(.+?)_"), NORMALISED)
    assert wells.groupby("Metadata_Plate").size().to_dict() == {"P": 16, "Q": 8}
    assert wells["field_id"].is_unique
    with pytest.raises(ValueError, match=r"p.csv: .*physical_plate does not match the plate 'P_20X'"):
        join_plates(tables, replace(COLUMNS, physical_plate="^(plate)"), NORMALISED)


@pytest.mark.parametrize("controls", [8, 3])
def test_each_plate_is_normalised_against_its_controls_where_it_has_enough(controls, caplog):
    table = plate("P", ["a"], np.random.default_rng(1), controls)
    wells, *_ = join_plates({"p.csv": table}, COLUMNS, Normalisation(method="standardize"))
    reference = table["a"][8:] if controls == 8 else table["a"]
    expected = (table["a"][:8] - reference.mean()) / reference.std(ddof=0)
    np.testing.assert_allclose(wells["a"], expected, rtol=1e-5)
    assert ("has 3 control wells, fewer than profile_moa.normalise.minimum_controls (8)" in caplog.text) == (
        controls == 3
    )


def test_values_are_clipped_and_what_is_missing_becomes_0_or_drops_the_feature(tables):
    tables["p.csv"].loc[0, ["a", "c"]] = [np.inf, 1e6]
    wells, *_ = join_plates(tables, COLUMNS, replace(NORMALISED, na_cutoff=0.07, clip=5))
    assert wells.loc[0, ["a", "c"]].tolist() == [0, 5]
    wells, *_ = join_plates(tables, COLUMNS, replace(NORMALISED, na_cutoff=0.05))
    assert "a" not in wells
    assert "c" in wells


def test_wells_that_cannot_be_asked_about_are_set_aside_with_the_reason(tables):
    tables["p.csv"].loc[0, "Metadata_InChIKey"] = np.nan
    tables["p.csv"].loc[1, "Metadata_InChIKey"] = "unknown"
    tables["q.csv"].loc[2, "Metadata_moa"] = None
    wells, rejected, *_ = join_plates(tables, COLUMNS, NORMALISED)
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
        (
            good.rename(columns={"a": "x", "b": "y", "c": "z"}),
            "p.csv, q.csv have no feature in common. Columns: 6 describes the well",
        ),
        (good, "p.csv, q.csv: well P_20X/A01 is in the tables twice. Give the plates different names"),
        (good.iloc[:0], "q.csv: the table has no rows"),
    ):
        with pytest.raises(ValueError, match=message):
            join_plates({"p.csv": good, "q.csv": change}, COLUMNS, NORMALISED)
    with pytest.raises(ValueError, match="0 treated wells have a structure and a mechanism"):
        join_plates({"p.csv": good.assign(Metadata_moa=None)}, COLUMNS, NORMALISED)


def as_text(tables):
    """The tables as they are read from CSV: every cell is text, and an empty cell is an empty string."""
    return {name: table.astype(object).fillna("").astype(str) for name, table in tables.items()}


def test_text_and_numbers_give_the_same(tables):
    for found, expected in zip(
        join_plates(as_text(tables), COLUMNS, NORMALISED), join_plates(tables, COLUMNS, NORMALISED), strict=True
    ):
        pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("name", ["007", "7", "1e5", "1.10", "NAD", "plate 1", "25_07", 7, 7.0])
def test_names_of_plates_are_text(tables, name):
    wells, *_ = join_plates({"p.csv": tables["p.csv"].assign(Metadata_Plate=name)}, COLUMNS, NORMALISED)
    expected = "7" if name == 7.0 else str(name)
    assert set(wells["Metadata_Plate"]) == {expected}
    assert wells["field_id"].iloc[0] == f"{expected}/A01"


@pytest.mark.parametrize("word", ["", " ", None, "NA", "nan", "unknown", "-"])
def test_a_plate_without_a_name_is_named_by_its_line(tables, word):
    bad = tables["p.csv"].copy()
    bad.loc[3, "Metadata_Plate"] = word
    with pytest.raises(ValueError, match=r"p.csv, line 5: Metadata_Plate is .*, so the plate of the well is not known"):
        join_plates({"p.csv": bad}, COLUMNS, NORMALISED)


def test_a_plate_that_is_called_na_can_be_had(tables):
    named = {"p.csv": tables["p.csv"].assign(Metadata_Plate="NA")}
    wells, *_ = join_plates(named, replace(COLUMNS, missing=()), NORMALISED)
    assert set(wells["Metadata_Plate"]) == {"NA"}


@pytest.mark.parametrize("word", ["", "  ", None, "NA", "NaN", "unknown", "N/A", "-666", "|", "NA|unknown"])
def test_words_for_missing_are_no_mechanism(tables, word):
    tables["p.csv"].loc[2, "Metadata_moa"] = word
    wells, rejected, *_ = join_plates(tables, COLUMNS, NORMALISED)
    assert rejected.to_numpy().tolist() == [["P_20X/C01", "no mechanism in Metadata_moa"]]
    assert set(wells["Metadata_moa"]) == {"one", "two", "three"}


@pytest.mark.parametrize(("moa", "expected"), [("b|a", "a|b"), (" a | b ", "a|b"), ("a|NA", "a"), ("a|a", "a")])
def test_several_mechanisms_are_written_in_one_way(tables, moa, expected):
    tables["p.csv"].loc[0, "Metadata_moa"] = moa
    wells, *_ = join_plates(tables, COLUMNS, NORMALISED)
    assert wells["Metadata_moa"].iloc[0] == expected


@pytest.mark.parametrize(
    ("control", "treated"), [("negcon", "trt"), ("DMSO", ""), (True, False), ("1", "0"), ("control", "poscon"), (1, 0)]
)
def test_controls_are_told_by_the_value_of_their_column(tables, control, treated, caplog):
    values = [*[treated] * 8, *[control] * 8]
    named = {name: table.assign(Metadata_control_type=values) for name, table in tables.items()}
    with caplog.at_level("INFO"):
        wells, *_ = join_plates(named, COLUMNS, NORMALISED)
    assert len(wells) == 16
    assert f"these values mean a control: {control} (16 wells)" in caplog.text


def test_no_control_is_said(tables, caplog):
    named = {name: table.assign(Metadata_control_type="trt") for name, table in tables.items()}
    wells, rejected, *_ = join_plates(named, COLUMNS, NORMALISED)
    assert (len(wells), len(rejected)) == (16, 16)  # the former controls have no mechanism
    assert "no well is a control: no value of Metadata_control_type is in" in caplog.text


def test_every_column_is_in_the_table_of_columns(tables, caplog):
    beside = {"Row": 1, "Unnamed: 0": 2, "Cells_Location_Center_X": 0.5, "ImageNumber": 3, "y": "text"}
    wide = {name: table.assign(**beside) for name, table in tables.items()}
    with caplog.at_level("INFO"):
        wells, _, columns, _ = join_plates(wide, replace(COLUMNS, features=(r"^[abcxy]$", "^Cells_")), NORMALISED)
    assert set(columns["column"]) == set(wide["p.csv"]) | set(wide["q.csv"])
    reasons = columns.set_index("column")["reason"]
    assert reasons.to_dict() == {
        **dict.fromkeys(COLUMNS.described, "describes the well"),
        "Metadata_Site_Count": "its name begins with Metadata_",
        **{"a": "", "b": "not in q.csv", "c": "", "x": "not in p.csv"},
        **dict.fromkeys(["Row", "Unnamed: 0", "ImageNumber"], "its name is not that of a feature"),
        "Cells_Location_Center_X": "a number or a position, by never_features",
        "y": "missing in more than 5% of the wells of a plate",
    }
    assert columns.loc[columns["feature"], "column"].tolist() == [name for name in wells if name in ("a", "c")]
    assert "2 columns are features: a, c" in caplog.text
    assert "1 columns are no features (a number or a position, by never_features): Cells_Location_" in caplog.text
    assert "p.csv: 16 cells of features are not finite numbers" in caplog.text
    assert "e.g. 'text' in line 2, column y" in caplog.text


def test_the_position_of_a_well_is_no_feature(tables):
    """Its table has it as numbers. A cosine of features would find compounds of the same layout by it."""
    for name, table in tables.items():
        position = {"Row": np.arange(16), "Column": 1, "Cells_Number_Object_Number": np.arange(16)}
        tables[name] = table.assign(**position).rename(columns={"a": "Cells_a", "c": "Nuclei_c"})
    wells, *_ = join_plates(tables, ProfileColumns(), NORMALISED)
    assert list(wells)[6:] == ["Cells_a", "Nuclei_c"]
