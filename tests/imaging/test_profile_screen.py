"""Screens without images: what becomes of the rows of their tables."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.imaging.config import Normalisation, Selection
from cloome_kedro.imaging.profile_screen import read_profile_screen
from cloome_kedro.imaging.profile_table import ProfileFiles, WellColumns
from profile_screens import FEATURES, invented_profiles, write_anndata

AS_GIVEN = Normalisation(method=None, clip=1e9)
ALL = Selection(operations=())
SOURCE = ProfileFiles("profiles/*")
USUAL = WellColumns()


def write(folder, table, name="profiles/plates.csv"):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    table.to_csv(path, index=False)
    return path


def table_of(plate="P", compounds=("one", "two", "DMSO"), **columns):
    """One row per compound; feature Cells_a counts the rows."""
    table = pd.DataFrame(
        {
            "Metadata_Plate": plate,
            "Metadata_Well": [f"A{i:02d}" for i in range(1, len(compounds) + 1)],
            "Metadata_broad_sample": list(compounds),
            "Metadata_SMILES": [{"one": "CCO", "two": "CCN"}.get(name) for name in compounds],
            "Cells_a": np.arange(len(compounds), dtype=float),
            "Nuclei_b": 1.5,
        }
    )
    return table.assign(**columns)


def read(folder, columns=USUAL, source=SOURCE, normalisation=AS_GIVEN, selection=ALL, **options):
    screen = read_profile_screen(
        folder, "mine", source, columns, normalisation=normalisation, selection=selection, **options
    )
    for name in ("fields", "rejected_fields", "compound_table", "field_profiles", "cell_counts"):
        attribute = {"rejected_fields": "rejected", "compound_table": "compounds", "field_profiles": "profiles"}
        getattr(schemas, name).validate(getattr(screen, attribute.get(name, name)))
    return screen


def test_usual_names_are_recognised(tmp_path):
    table = table_of(Metadata_Site=3, Metadata_Count_Cells=[10, 20, 30], Metadata_mmoles_per_liter=[0.005, 0.01, None])
    write(tmp_path, table.assign(Metadata_moa=["a|NA", "unknown", None], Metadata_InChIKey="?"))
    screen = read(tmp_path)
    assert screen.fields["field_id"].tolist() == ["mine/P/A01/3", "mine/P/A02/3", "mine/P/A03/3"]
    assert screen.fields["control"].tolist() == [False, False, True], "DMSO is a control by its name"
    assert screen.fields["concentration_um"].tolist()[:2] == [5, 10]
    assert screen.compounds.to_dict("list") == {
        "compound_id": ["one", "two"], "smiles": ["CCO", "CCN"], "name": [None, None], "moa": ["a", None]
    }  # fmt: skip
    assert list(screen.profiles) == ["field_id", "Cells_a", "Nuclei_b"]
    assert screen.cell_counts["nuclei"].tolist() == [10, 20, 30]


def test_structures_identify_compounds_without_ids_and_a_column_says_what_is_a_control(tmp_path):
    table = table_of(compounds=("one", "two", "one"), pert_type=["trt", "trt", "control"])
    write(tmp_path, table.drop(columns="Metadata_broad_sample"))
    screen = read(tmp_path)
    assert screen.fields["compound_id"].tolist() == ["CCO", "CCN", "CCO"]
    assert screen.fields["control"].tolist() == [False, False, True]
    assert screen.compounds["smiles"].tolist() == ["CCO", "CCN"]


def test_structures_can_be_in_a_table_of_compounds(tmp_path):
    write(tmp_path, table_of().drop(columns="Metadata_SMILES"))
    write(tmp_path, pd.DataFrame({"compound": ["two", "one", "x"], "smiles": ["CCN", "CCO", "C"]}), "compounds.csv")
    screen = read(tmp_path, source=replace(SOURCE, compounds="compounds.csv"))
    assert dict(zip(screen.compounds["compound_id"], screen.compounds["smiles"], strict=True)) == {
        "one": "CCO", "two": "CCN"
    }  # fmt: skip
    with pytest.raises(
        ValueError, match=r"no compound has a structure. Name the column of SMILES by params:profile_ta"
    ):
        read(tmp_path)


def test_plates_in_several_files_and_the_features_that_all_have(tmp_path, caplog):
    write(tmp_path, table_of().assign(Cells_c=1.0), "profiles/p.csv")
    write(tmp_path, table_of("Q")[[*table_of().columns[:4], "Nuclei_b", "Cells_a"]], "profiles/q.tsv")
    caplog.set_level(logging.INFO)
    screen = read(tmp_path)
    assert screen.fields["plate"].tolist() == ["P"] * 3 + ["Q"] * 3
    assert list(screen.profiles) == ["field_id", "Cells_a", "Nuclei_b"]
    assert screen.profiles["Cells_a"].tolist() == [0, 1, 2] * 2, "by name, whatever the order of columns"
    assert "1 features are left out, because other tables lack them: Cells_c" in caplog.text


def test_without_plate_and_well_the_file_is_the_plate_and_the_order_of_rows_says_nothing(tmp_path):
    names = [f"c{i}" for i in range(100)]
    rows = pd.DataFrame({"compound": names, "smiles": ["C" * (i + 1) for i in range(100)], "Cells_a": range(100)})
    for file in ("one", "two"):
        write(tmp_path, rows, f"profiles/{file}.csv")
    screen = read(tmp_path)
    assert set(screen.fields["plate"]) == {"one", "two"}
    wells = screen.fields.pivot(index="compound_id", columns="plate", values="well")
    assert wells["one"].is_unique
    assert (wells["one"] == wells["two"]).sum() < 10, "the same compound is in the same well by chance only"
    again = read(tmp_path)
    pd.testing.assert_frame_equal(screen.fields, again.fields)


def test_rows_that_cannot_be_used_are_rejected_with_reasons(tmp_path):
    table = table_of(compounds=("one", "two", "NA", "one", "two", "one", "one"))
    table["Metadata_Well"] = ["A01", "A02", "A03", "Z", "A05", "A06", "A07"]
    table["Metadata_Site"] = [1, 1, 1, 1, "b", 1, 1]
    table["Metadata_concentration_uM"] = [1, 1, 1, 1, 1, "high", 1]
    table.loc[6, "Metadata_Plate"] = None
    write(tmp_path, table)
    with pytest.raises(
        ValueError, match=r"5 of 7 fields were rejected; max_rejected_fraction in params:profile_tables"
    ):
        read(tmp_path)
    screen = read(tmp_path, max_rejected_fraction=0.9)
    assert screen.fields["well"].tolist() == ["A01", "A02"]
    assert screen.profiles["Cells_a"].tolist() == [0, 1]
    assert dict(zip(screen.rejected["well"], screen.rejected["reason"], strict=True)) == {
        "A03": "plates.csv, row 3: well without compound",
        "Z": "plates.csv, row 4: no well",
        "A05": "plates.csv, row 5: no number of a site",
        "A06": f"{tmp_path}/profiles/plates.csv, row 6: Metadata_concentration_uM 'high' is not a number",
        "A07": "plates.csv, row 7: no plate",
    }


@pytest.mark.parametrize(
    ("repeats", "values", "rejected"),
    [("mean", {"A01": 2.0, "A02": 1.0}, 0), ("first", {"A01": 1.0, "A02": 1.0}, 1), ("reject", {"A02": 1.0}, 2)],
)
def test_repeated_wells_follow_the_rule(tmp_path, caplog, repeats, values, rejected):
    table = table_of(compounds=("one", "two", "one"), Cells_a=[1.0, 1.0, 3.0], Metadata_Count_Cells=[1, 5, 2])
    table.loc[2, "Metadata_Well"] = "a1"
    table["Nuclei_b"] = [np.nan, 2.0, 4.0]
    write(tmp_path, table)
    screen = read(tmp_path, repeats=repeats, max_rejected_fraction=0.9)
    wells = screen.fields["well"]
    assert dict(zip(wells, screen.profiles["Cells_a"], strict=True)) == values
    assert len(screen.rejected) == rejected
    assert "1 wells or fields are in several rows, e.g. P/A01" in caplog.text
    assert f"(profile_tables.repeats: {repeats})" in caplog.text
    if repeats == "mean":
        assert screen.profiles["Nuclei_b"].tolist() == [4, 2], "a missing value does not count"
        assert screen.cell_counts["nuclei"].tolist() == [1.5, 5]


def test_repeated_wells_that_contradict_each_other_are_rejected(tmp_path):
    table = table_of(compounds=("one", "two", "one"))
    table["Metadata_Well"] = ["A01", "A01", "A02"]
    write(tmp_path, table)
    screen = read(tmp_path, max_rejected_fraction=0.9)
    assert screen.fields["well"].tolist() == ["A02"]
    assert set(screen.rejected["reason"]) == {
        "the well is in several rows with different contents: compound_id is one in row 1 and two in row 2"
    }


def test_each_plate_is_normalised_by_its_controls(tmp_path, caplog):
    wells, values = invented_profiles(compounds=30, plates=3, controls=10)
    few = (wells["Plate"] == "24279") & (wells["pert_type"] == "control")
    few &= few.cumsum() > 3
    write(tmp_path, pd.concat([wells, pd.DataFrame(values, columns=FEATURES)], axis=1)[~few])
    screen = read(tmp_path, normalisation=Normalisation(method="mad_robustize", clip=1e9))
    raw = wells.assign(row=np.arange(len(wells)))[~few].sort_values(["Plate", "Well"])
    for plate, rows in raw.groupby("Plate"):
        expected = values[rows["row"]].astype(float)
        control = (rows["pert_type"] == "control").to_numpy() if plate != "24279" else np.ones(len(rows), bool)
        median = np.median(expected[control], axis=0)
        spread = 1.482602218505602 * np.median(np.abs(expected[control] - median), axis=0)
        found = screen.profiles.loc[(screen.fields["plate"] == plate).to_numpy(), FEATURES].to_numpy()
        np.testing.assert_allclose(found, (expected - median) / spread, rtol=2e-4, atol=2e-4)
    assert "1 of 3 plates have fewer control wells than profile_tables.normalise.minimum_controls (8)" in caplog.text


def test_missing_values_become_zero_and_features_are_selected(tmp_path, caplog):
    wells, values = invented_profiles(compounds=30, plates=2)
    values[:, 1] = values[:, 0] * 2 + 1  # correlates with the first feature
    values[::3, 2] = np.nan
    values[0, 3] = np.inf
    write(tmp_path, pd.concat([wells, pd.DataFrame(values, columns=FEATURES)], axis=1))
    caplog.set_level(logging.INFO)
    operations = ("drop_na_columns", "variance_threshold", "correlation_threshold")
    screen = read(tmp_path, normalisation=Normalisation(method=None, clip=3), selection=Selection(operations))
    kept = list(screen.profiles)[1:]
    assert FEATURES[2] not in kept
    assert len({FEATURES[0], FEATURES[1]} & set(kept)) == 1
    first = screen.profiles.set_index("field_id").loc[f"mine/24277/{wells['Well'][0]}/1", FEATURES[3]]
    assert first == 0
    assert screen.profiles[kept].abs().to_numpy().max() == 3
    assert "1 of" in caplog.text
    assert "values (0.0" in caplog.text


def test_anndata_has_the_form_of_the_published_table(tmp_path):
    pytest.importorskip("anndata")
    wells, values = invented_profiles(compounds=30, plates=2)
    twice = [*range(len(wells)), 0, 1]
    write_anndata(tmp_path / "profiles" / "wells.h5ad", wells.iloc[twice], values[twice])
    screen = read(tmp_path, WellColumns(blocklist=False))
    assert len(screen.fields) == len(wells)
    assert screen.rejected.empty
    assert list(screen.profiles)[1:] == [f"feature {i}" for i in range(24)]
    assert screen.fields["control"].sum() == (wells["pert_type"] == "control").sum()
    assert screen.fields.loc[~screen.fields["control"], "concentration_um"].eq(5).all()
    order = wells.assign(row=np.arange(len(wells))).sort_values(["Plate", "Well"])["row"]
    np.testing.assert_array_equal(screen.profiles.iloc[:, 1:], values[order])


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        ({}, WellColumns(well="Position"), r"has no column Position \(well\), which params:profile_tables.columns"),
        ({"Metadata_Well": "Z"}, USUAL, "no entry of the column Metadata_Well is a well, such as D08; the "),
        ({"dose": 1}, USUAL, "the unit of dose in .* is unknown: set params:profile_tables.columns.conc"),
        ({}, WellColumns(features=("^x",)), r"no column matches params:profile_tables.columns.features \(\^x\)"),
        ({}, WellColumns(features=("^Cells",), never_features=("_a$",)), "has no feature: correct features or never"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, change, columns, message):
    write(tmp_path, table_of(**change))
    with pytest.raises(ValueError, match=message):
        read(tmp_path, columns)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"has no table profiles/\*: put the tables of profiles there, or correct"
    ):
        read(tmp_path)


def test_dark_chemical_matter(cloome_data):
    """549 compounds in two runs; the settings are those of conf/dcm."""
    columns = WellColumns(plate="Run", well="", concentration="", features=("^Median_",))
    screen = read(cloome_data, columns, ProfileFiles("profiles/dcm_pub.tsv"))
    assert screen.fields.groupby("plate").size().to_dict() == {"1": 549, "2": 549}
    assert screen.profiles.shape == (1098, 1 + 579)
    assert len(screen.compounds) == 549
    assert screen.rejected.empty
