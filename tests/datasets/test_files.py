import pandas as pd
import pytest
from kedro.io import DatasetError

from cloome_kedro.datasets.files import TableFiles, TableFolder, TextFiles


def files(folder, pattern="*/[ab].*"):
    return TableFiles(filepath=str(folder), pattern=pattern, missing="bring some")


def test_tables_by_their_paths(tmp_path):
    folder = tmp_path / "a [b]"  # a glob's own characters in the folder's name
    for name in ("x", "y"):
        (folder / name).mkdir(parents=True)
        pd.DataFrame({"value": ["01"]}).to_csv(folder / name / "a.csv", index=False)
    pd.DataFrame({"value": [2]}).to_parquet(folder / "y" / "b.parquet")
    (folder / "y" / "c.csv").write_text("no match")
    dataset = files(folder)
    assert dataset.exists()
    found = {path: table["value"].tolist() for path, table in dataset.load().items()}
    assert found == {"x/a.csv": ["01"], "y/a.csv": ["01"], "y/b.parquet": [2]}


@pytest.mark.parametrize("cell", ["007", "1e5", "NA", "nan", "1.10", "True", " x", ""])
def test_no_cell_of_a_text_table_is_converted(tmp_path, cell):
    pd.DataFrame({"key": ["a"], "value": [cell]}).to_csv(tmp_path / "a.csv", index=False)
    assert files(tmp_path, "*.csv").load()["a.csv"]["value"].tolist() == [cell]


def test_none_and_unreadable_ones_are_named_and_nothing_is_written(tmp_path):
    assert not files(tmp_path).exists()
    with pytest.raises(DatasetError, match=r"has no table that matches \*/\[ab\]\.\*: bring some"):
        files(tmp_path).load()
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.parquet").write_bytes(b"half")
    with pytest.raises(DatasetError, match=r"x/a\.parquet cannot be read"):
        files(tmp_path).load()
    with pytest.raises(DatasetError, match="read only"):
        files(tmp_path).save({"x/a.csv": pd.DataFrame()})


def test_texts_by_their_paths(tmp_path):
    dataset = TextFiles(filepath=str(tmp_path), patterns=["*/part.html", "shared_*.html"])
    assert dataset.exists()
    assert dataset.load() == {}
    (tmp_path / "random").mkdir()
    for name in ("random/part.html", "shared_a.html", "other.html"):
        (tmp_path / name).write_text(name)
    assert dataset.load() == {name: name for name in ("random/part.html", "shared_a.html")}
    with pytest.raises(DatasetError, match="read only"):
        dataset.save({})


def test_a_folder_has_the_tables_that_were_saved_last(tmp_path):
    dataset = TableFolder(filepath=str(tmp_path / "tables"))
    assert not dataset.exists()
    tables = {"a": pd.DataFrame({"x, y": ["007", "", "two\nlines", "é"]}), "b": pd.DataFrame({"z": ["1 %"]})}
    dataset.save(tables)
    assert dataset.exists()
    loaded = dataset.load()
    assert list(loaded) == ["a", "b"]
    for name, table in tables.items():
        pd.testing.assert_frame_equal(loaded[name], table, check_dtype=False)
    (tmp_path / "tables" / "notes.txt").write_text("mine")
    dataset.save({"b": tables["b"]})
    assert sorted(path.name for path in (tmp_path / "tables").iterdir()) == ["b.csv", "notes.txt"]
