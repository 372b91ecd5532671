import pandas as pd
import pytest

from cloome_kedro import schemas

KEY = "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"


def validate(**columns):
    return schemas.provided_folds.validate(pd.DataFrame(columns, dtype=object))


@pytest.mark.parametrize("well", ["A1", "a01", "A001", " A01 ", "A-1", "r1c1"])
@pytest.mark.parametrize("site", ["2", " 2", "2.0", 2, 2.0])
@pytest.mark.parametrize("fold", ["train", "train ", "Train", "TRAIN\t"])
def test_ways_to_write_a_row(well, site, fold):
    folds = validate(plate=["007 "], well=[well], site=[site], fold=[fold])
    assert folds[["plate", "well", "site", "fold"]].values.tolist() == [["007", "A01", 2, "train"]]


@pytest.mark.parametrize("empty", ["", " ", "NA", "nan", "-", "None", None])
def test_empty_cells(empty):
    folds = validate(
        inchikey=[f" {KEY} ", empty], plate=[None, "NA"], well=[empty, "A01"], site=[empty, 1], fold="test"
    )
    assert folds["inchikey"].fillna("null").tolist() == [KEY, "null"]
    assert folds["plate"].fillna("null").tolist() == ["null", "NA"], "a plate can have any name"
    assert folds["well"].fillna("null").tolist() == ["null", "A01"]
    assert folds["site"].fillna(-1).tolist() == [-1, 1]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"well": ["A01", "1A"]}, r"provided_folds, line 3: well '1A' is not a well; write it like D08"),
        (
            {"site": [1, "x"]},
            r"provided_folds, line 3: site 'x' is not a whole number; leave it empty for a whole well",
        ),
        ({"site": [1, "1.5"]}, r"provided_folds, line 3: site '1.5' is not a whole number"),
        ({"site": ["-1", 1]}, r"provided_folds, line 2: site '-1' is not a whole number"),
    ],
)
def test_cells_that_cannot_be_read_are_named(cells, message):
    with pytest.raises(ValueError, match=message):
        validate(fold="train", **cells)


def test_lines_of_a_file():
    table = pd.DataFrame({"well": ["A01", "?1"], "fold": "train"}, index=pd.Index([2, 9], name="line"))
    with pytest.raises(ValueError, match=r"line 9: well '\?1' is not a well"):
        schemas.provided_folds.validate(table)


def test_other_columns_are_left_out(caplog):
    assert "smiles" not in validate(well=["A01"], smiles=["C"], fold="train")
    assert "provided_folds: the columns smiles are not read" in caplog.text
