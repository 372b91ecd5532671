"""Label matrices as they are published, and what is wrong with others."""

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError

from cloome_kedro import schemas
from cloome_kedro.datasets.label_matrix import LabelMatrix

A, B, C = (f"{letter * 14}-AAAAAAAAAA-N" for letter in "ABC")
MATRIX = "%%MatrixMarket matrix coordinate integer general\n%\n3 4 4\n1 1 1\n3 1 -1\n2 4 1\n2 3 -1\n"
ROWS = f"INDEX,INCHIKEY\n2,{C}\n0,{A}\n1,{B}\n"
COLUMNS = "ASSAY_ID\n600885\n12\n600885\n600885\n"


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def load(folder, matrix=MATRIX, rows=ROWS, columns=COLUMNS):
    files = {"matrix.mtx": matrix, "rows.csv": rows, "columns.csv": columns}
    for name, text in files.items():
        if text is not None:
            (folder / name).write_text(text)
    paths = [str(folder / name) for name in files]
    return LabelMatrix(filepath=paths[0], rows=paths[1], columns=paths[2]).load()


def test_rows_follow_their_index_and_repeated_assays_their_count(folder):
    expected = pd.DataFrame(
        {
            "inchikey": [A, B, C],
            "600885": [1, np.nan, 0],
            "12": [np.nan] * 3,
            "600885_2": [np.nan, 0, np.nan],
            "600885_3": [np.nan, 1, np.nan],
        }
    )
    found = load(folder)
    pd.testing.assert_frame_equal(found, expected)
    pd.testing.assert_frame_equal(schemas.assay_labels.validate(found), expected)


def test_an_absent_matrix_is_a_screen_without_labels(folder):
    found = load(folder, matrix=None)
    assert schemas.assay_labels.validate(found).empty


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"matrix": MATRIX.replace("2 3 -1", "2 3 0")},
            r"matrix\.mtx: row 2, column 3 has the value 0\. Labels must be 1 ",
        ),
        ({"matrix": MATRIX.replace("2 3 -1", "2 4 -1")}, r"matrix\.mtx: row 2, column 4 occurs twice"),
        ({"matrix": MATRIX.replace("2 3 -1", "4 3 -1")}, r"matrix\.mtx: .*[Rr]ow"),
        ({"matrix": "600885,1\n"}, r"matrix\.mtx: "),
        ({"matrix": "%%MatrixMarket matrix array integer general\n1 1\n1\n"}, r"matrix\.mtx is a dense matrix"),
        ({"rows": ROWS.replace("2,", "3,")}, r"rows\.csv: INDEX 3 is no row of the matrix, which has the rows 0 to 2"),
        ({"rows": ROWS.replace(B, A)}, rf"rows\.csv: compound {A} occurs twice"),
        (
            {"rows": ROWS.replace(f"1,{B}\n", "")},
            r"rows\.csv has 2 lines with 2 different values of INDEX; the matrix has 3 rows",
        ),
        ({"rows": ROWS.replace("INCHIKEY", "KEY")}, r"rows\.csv has no column INCHIKEY; its columns are INDEX, KEY"),
        ({"rows": ROWS.replace(A, "")}, r"rows\.csv: line 3 has no INDEX or no INCHIKEY"),
        ({"rows": ROWS.replace(A, "NA").replace("0,", "\n\n0,")}, r"rows\.csv: line 5 has no INDEX or no INCHIKEY"),
        ({"rows": None}, r"there is no table .*rows\.csv; put it there"),
        ({"columns": "ASSAY_ID\n"}, r"columns\.csv has a header but no rows"),
        ({"columns": "ASSAY_ID\n12\n"}, r"columns\.csv has 1 assays, but the matrix has 4 columns"),
        (
            {"columns": COLUMNS.replace("12", "600885_2")},
            r"columns\.csv: the ASSAY_ID 600885_2 is also the name of a repeated id",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(folder, files, message):
    with pytest.raises(DatasetError, match=message):
        load(folder, **files)


@pytest.mark.parametrize(
    "change", [lambda text: text.replace(",", ";"), lambda text: "sep=\t\n" + text.replace(",", "\t")]
)
def test_tables_with_other_separators(folder, change):
    expected = load(folder)
    pd.testing.assert_frame_equal(load(folder, rows=change(ROWS), columns=change(COLUMNS) + "\n\n"), expected)


def test_it_is_read_only(folder):
    load(folder)
    with pytest.raises(DatasetError, match="read only"):
        LabelMatrix(filepath=str(folder / "m.mtx"), rows="r", columns="c").save(pd.DataFrame())


def test_the_published_matrix_is_read_as_it_is(cloome_data):
    labels = cloome_data / "labels"
    table = LabelMatrix(
        filepath=str(labels / "label-matrix.mtx"),
        rows=str(labels / "row-compound-index.csv"),
        columns=str(labels / "column-assay-index.csv"),
    ).load()
    table = schemas.assay_labels.validate(table).set_index("inchikey")
    assert table.shape == (10_574, 209)
    assert table.notna().to_numpy().sum() == 55_542
    assert (table == 1).to_numpy().sum() == 19_274
    counts = table.notna().sum()
    assert (counts.min(), counts.max()) == (22, 2790)
    assert (table == 1).sum().min() >= 10
    assert (table == 0).sum().min() >= 10
    # Lines of the files: entry "6538 1 1" is of row 6,537 from 0 and the first assay, 600885.
    index = pd.read_csv(labels / "row-compound-index.csv")
    assert table.loc[index["INCHIKEY"][6537], "600885"] == 1
    assert [name for name in table if name.startswith("688816")] == ["688816", "688816_2", "688816_3"]
