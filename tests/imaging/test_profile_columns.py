"""Which columns of tables of profiles are features, and which values mean a control."""

from dataclasses import replace

import pandas as pd
import pytest

from cloome_kedro.imaging.profile_columns import are_controls, choose_features, shortened
from cloome_kedro.imaging.profile_table import CONTROL_VALUES, ProfileColumns

COLUMNS = ProfileColumns()
FEATURES = ["Cells_AreaShape_Area", "Cytoplasm_Texture_Contrast_DNA_3_00_256", "Nuclei_Intensity_MeanIntensity_ER"]


def reasons(names, columns=COLUMNS, **other_tables):
    tables = {"p.csv": [*columns.described, *names], **other_tables}
    return choose_features(tables, columns).set_index("column")["reason"].drop(list(columns.described)).to_dict()


@pytest.mark.parametrize(
    "name",
    [
        *("Row", "Column", "Well", "Plate", "plate", "Site", "replicate", "Batch", "index", "Unnamed: 0"),
        *(
            "concentration",
            "concentration_um",
            "dose",
            "ImageNumber",
            "TableNumber",
            "ObjectNumber",
            "Image_Count_Cells",
        ),
        *("cell_count", "viability", "Median_Cells_Area", "Metadata_Site_Count", "pubchem_cid", "Location_Center_X"),
    ],
)
def test_a_name_without_a_compartment_is_no_feature(name):
    assert reasons([*FEATURES, name])[name]
    assert reasons([*FEATURES, name])[FEATURES[0]] == ""


@pytest.mark.parametrize(
    "name",
    [
        *("Cells_Location_Center_X", "Nuclei_Location_CenterMassIntensity_Y_DNA", "Cells_Number_Object_Number"),
        *("Cytoplasm_Location_MaxIntensity_X_Mito", "Cells_ImageNumber", "Nuclei_ObjectNumber", "Cells_TableNumber"),
        *("Nuclei_Neighbors_FirstClosestObjectNumber_2", "Cells_Neighbors_SecondClosestObjectNumber_Adjacent"),
        *("Cells_Parent_Nuclei", "Nuclei_Children_Cells_Count", "Cells_AreaShape_Center_X"),
        *("Cells_AreaShape_BoundingBoxMinimum_Y", "Nuclei_AreaShape_BoundingBoxMaximum_X"),
    ],
)
def test_numbers_and_positions_are_no_features(name):
    assert reasons([*FEATURES, name])[name] == "a number or a position, by never_features"
    assert reasons([*FEATURES, name], replace(COLUMNS, never_features=()))[name] == ""


@pytest.mark.parametrize(
    "name",
    [
        *("Cells_AreaShape_BoundingBoxArea", "Nuclei_AreaShape_EulerNumber", "Cells_Neighbors_NumberOfNeighbors_5"),
        *("Cells_Correlation_Manders_AGP_DNA", "Nuclei_Granularity_1_DNA", "Cells_AreaShape_CentralMoment_0_1"),
    ],
)
def test_similar_names_are_features(name):
    assert reasons([*FEATURES, name])[name] == ""


@pytest.mark.parametrize("name", ["Nuclei_Correlation_Manders_AGP_DNA", "Nuclei_Correlation_RWC_ER_RNA"])
def test_the_block_list_can_be_switched_off(name):
    assert reasons([*FEATURES, name])[name] == "on the block list of pycytominer"
    assert reasons([*FEATURES, name], replace(COLUMNS, blocklist=False))[name] == ""


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        (["^Median_"], ["Median_Area"]),
        (["^emb_", "^f\\d+$"], ["emb_0", "emb_1", "f17"]),
        (["."], ["Median_Area", "emb_0", "emb_1", "f17", *FEATURES]),  # not Row, ImageNumber, Unnamed: 0
    ],
)
def test_expressions_replace_the_names_of_compartments(expressions, expected):
    names = ["Median_Area", "emb_0", "Row", "emb_1", "f17", "ImageNumber", "Unnamed: 0", "Metadata_f1", *FEATURES]
    found = reasons(names, replace(COLUMNS, features=tuple(expressions)))
    assert [name for name, reason in found.items() if not reason] == expected


def test_a_feature_of_some_tables_is_left_out():
    described = list(COLUMNS.described)
    found = reasons(FEATURES, **{"q.csv": [*described, *FEATURES[:2]], "r.csv": [*described, FEATURES[0]]})
    assert list(found.values()) == ["", "not in r.csv", "not in 2 of 3 tables"]


def test_columns_that_describe_the_well_are_no_features():
    columns = replace(COLUMNS, cells="Cells_Number", moa="Cells_Mechanism")
    found = choose_features({"p.csv": [*columns.described, *FEATURES]}, columns).set_index("column")["reason"]
    assert found["Cells_Number"] == found["Cells_Mechanism"] == "describes the well"


def test_bad_names_are_said():
    with pytest.raises(
        ValueError, match=r"p.csv has no column Metadata_moa, .*; name it in params:profile_moa.columns"
    ):
        choose_features({"p.csv": ["Metadata_Plate", "Metadata_Well", "Metadata_InChIKey"]}, COLUMNS)
    with pytest.raises(ValueError, match=r"no column begins with Cells, .*columns\.features.* are emb_0, emb_1, Row"):
        reasons(["emb_0", "emb_1", "Row"])
    with pytest.raises(ValueError, match=r"no column matches params:profile_moa.columns.features \(\^f_\)"):
        reasons(["emb_0"], replace(COLUMNS, features=("^f_",)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": ("(",)}, r"features: '\(' is not a regular expression"),
        ({"never_features": ("[",)}, r"never_features: '\[' is not a regular expression"),
        ({"physical_plate": "("}, r"physical_plate: '\(' is not a regular expression"),
        ({"physical_plate": "^.+_"}, "physical_plate needs exactly one group in brackets"),
        ({"physical_plate": "^(.+)_(.+)"}, "physical_plate needs exactly one group in brackets"),
        ({"features": ()}, "features is an empty list"),
    ],
)
def test_wrong_expressions_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ProfileColumns(**changes)


@pytest.mark.parametrize(
    "value", [*CONTROL_VALUES, "NegCon", " dmso ", "TRUE", True, 1, 1.0, "1.0", "Negative Control", "Vehicle"]
)
def test_usual_words_mean_a_control(value):
    assert are_controls(pd.Series([value], dtype=object), COLUMNS).tolist() == [True]


@pytest.mark.parametrize(
    "value",
    [
        *("trt", "treated", "False", False, 0, "0", "0.0", "", " ", None, float("nan"), "NA", "none", "-", "unknown"),
        *("poscon", "poscon_cp", "poscon_diverse", "DMSO-d6", "uncontrolled", "no", "10"),
    ],
)
def test_other_values_mean_no_control(value):
    assert are_controls(pd.Series([value], dtype=object), COLUMNS).tolist() == [False]


def test_values_that_mean_control_are_a_parameter():
    columns = replace(COLUMNS, control_values=("empty vector", 2, False))
    values = pd.Series(["Empty Vector", "negcon", 2.0, "false", "true"], dtype=object)
    assert are_controls(values, columns).tolist() == [True, False, True, True, False]


def test_long_lists_are_shortened():
    assert shortened([]) == "none"
    assert shortened("abc", 3) == "a, b, c"
