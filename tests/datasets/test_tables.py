"""Tables and texts: what is saved comes back, a failed save leaves what was there, and some may be absent."""

import numpy as np
import pandas as pd
import pandera.errors
import pytest
from kedro.io import DataCatalog, DatasetError

from cloome_kedro import schemas
from cloome_kedro.datasets.tables import CsvTable, OptionalTable, Table, Text, UserTable

TABLE = pd.DataFrame({"field_id": ["a", "b"], "nuclei": [1.0, 2.5]})
CELL_COUNTS = "cloome_kedro.schemas.cell_counts"


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [
        (Table, "parquet", {}),
        (CsvTable, "csv", {"save_args": {"index": False}}),
        (OptionalTable, "parquet", {"schema": CELL_COUNTS}),
    ],
)
def test_round_trip(tmp_path, kind, suffix, options):
    dataset = kind(filepath=str(tmp_path / "deep" / f"table.{suffix}"), **options)
    assert not dataset.exists()
    dataset.save(TABLE)
    assert dataset.exists()
    pd.testing.assert_frame_equal(dataset.load(), TABLE)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"table.{suffix}"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("folds.csv", b"plate,well,fold\n007,A1,train\n, B02 ,\n"),
        ("folds.csv", "sep=;\nplate;well;fold\n007;A1;train\n; B02 ;\n;;\n".encode("utf-16")),
        ("folds.tsv", "plate\twell\tfold\r\n007\tA1\ttrain\r\n\tB02\t\r\n".encode("utf-8-sig")),
    ],
)
def test_a_table_of_the_user(tmp_path, name, content):
    dataset = UserTable(filepath=str(tmp_path / name))
    assert not dataset.exists()
    (tmp_path / name).write_bytes(content)
    assert dataset.exists()
    table = dataset.load()
    assert table.fillna("null").values.tolist() == [["007", "A1", "train"], ["null", "B02", "null"]]
    assert table.index.name == "line"
    with pytest.raises(DatasetError, match=f"{name} is a table of the user, which is read only"):
        dataset.save(table)


def test_a_table_of_the_user_that_cannot_be_read_is_named(tmp_path):
    dataset = UserTable(filepath=str(tmp_path / "folds.csv"))
    with pytest.raises(DatasetError, match=r"there is no table .*folds.csv"):
        dataset.load()
    (tmp_path / "folds.csv").write_text("inchikey,fold\n")
    with pytest.raises(DatasetError, match=r"folds.csv has a header but no rows"):
        dataset.load()


def test_repeated_columns_of_a_table_of_the_user_are_named(tmp_path):
    (tmp_path / "folds.csv").write_text("inchikey,fold,fold\nA,train,test\n")
    with pytest.raises(DatasetError, match="it has several columns fold with different contents; rename all but one"):
        UserTable(filepath=str(tmp_path / "folds.csv")).load()


@pytest.mark.parametrize("kind", ["Table", "OptionalTable"])
def test_what_is_wrong_with_joined_tables_of_a_user_is_named(tmp_path, kind):
    """pandera does not describe several problems of a table whose index has repeated labels."""
    joined = pd.concat([TABLE, TABLE.assign(nuclei=-1.0)])
    joined.to_parquet(tmp_path / "counts.parquet")
    entry = {"type": f"cloome_kedro.datasets.tables.{kind}", "filepath": str(tmp_path / "counts.parquet")}
    entry |= {"schema": CELL_COUNTS} if kind == "OptionalTable" else {"validator": CELL_COUNTS}
    with pytest.raises((DatasetError, pandera.errors.SchemaError), match=r"field_id|nuclei") as error:
        DataCatalog.from_config({"counts": entry}).load("counts")
    assert "stack" not in str(error.value)


def test_text(tmp_path):
    text = Text(filepath=str(tmp_path / "report.html"))
    text.save("<p>µm</p>")
    assert text.load() == "<p>µm</p>"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("kind", [Table, OptionalTable])
def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch, kind):
    options = {"schema": CELL_COUNTS} if kind is OptionalTable else {}
    dataset = kind(filepath=str(tmp_path / "table.parquet"), **options)
    dataset.save(TABLE)

    def write_half(self, file, **options):
        file.write(b"PAR1 half")
        raise OSError("no space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write_half)
    with pytest.raises(DatasetError, match="no space left"):
        dataset.save(TABLE)
    pd.testing.assert_frame_equal(dataset.load(), TABLE)


# ---- what may be absent


@pytest.mark.parametrize("name", ["truth", "assay_labels", "cell_counts", "field_profiles", "history", "metrics"])
def test_an_absent_table_is_empty_and_has_the_schemas_columns(tmp_path, name):
    dataset = OptionalTable(filepath=str(tmp_path / f"{name}.parquet"), schema=f"cloome_kedro.schemas.{name}")
    assert not dataset.exists()
    table, schema = dataset.load(), getattr(schemas, name)
    assert len(table) == 0
    assert list(table) == [key for key, column in schema.columns.items() if column.required and not column.regex]
    assert not dataset.exists(), "loading writes nothing"


def test_an_absent_table_fits_into_a_present_one(tmp_path):
    empty = OptionalTable(filepath=str(tmp_path / "none.parquet"), schema=CELL_COUNTS).load()
    joined = pd.concat([empty, TABLE], ignore_index=True)
    assert schemas.cell_counts.validate(joined)["nuclei"].dtype == np.float64
    dataset = OptionalTable(filepath=str(tmp_path / "saved.parquet"), schema=CELL_COUNTS)
    dataset.save(empty)
    pd.testing.assert_frame_equal(dataset.load(), empty)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.drop(columns="nuclei"), "nuclei"),
        (TABLE.assign(colour="red"), "colour"),
        (TABLE.assign(nuclei=-1.0), "greater_than_or_equal_to"),
        (TABLE.assign(field_id="a"), "field_id"),
    ],
)
def test_a_table_that_breaks_its_schema_is_neither_saved_nor_loaded(tmp_path, table, message):
    dataset = OptionalTable(filepath=str(tmp_path / "table.parquet"), schema=CELL_COUNTS)
    with pytest.raises(DatasetError, match=message) as error:
        dataset.save(table)
    assert isinstance(error.value.__cause__, (pandera.errors.SchemaError, pandera.errors.SchemaErrors))
    assert not dataset.exists()
    table.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DatasetError, match=message):
        dataset.load()


def test_types_are_made_those_of_the_schema(tmp_path):
    dataset = OptionalTable(filepath=str(tmp_path / "table.parquet"), schema=CELL_COUNTS)
    dataset.save(TABLE.assign(nuclei=[1, 2]))
    assert pd.read_parquet(tmp_path / "table.parquet")["nuclei"].dtype == np.float64
