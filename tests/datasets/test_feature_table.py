"""Tables of features of any program: text, parquet, matrices with keys, and AnnData."""

import gzip
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError
from scipy import sparse

from cloome_kedro.datasets.feature_table import FeatureTable

VALUES = np.array([[1.5, -2.25], [0, 1e4], [3, 0.5]], np.float32)
WELLS = pd.DataFrame({"Metadata_Plate": [24277, 24277, 24278], "Metadata_Well": ["a1", "B-12", "r03c04"]})
TABLE = pd.concat([WELLS, pd.DataFrame(VALUES, columns=["area", "texture"])], axis=1)


def load(path, **options):
    return FeatureTable(filepath=str(path), **options).load()


def check_wells(features, names=("area", "texture")):
    assert features.names == tuple(names)
    assert features.values.dtype == np.float32
    np.testing.assert_array_equal(features.values, VALUES)
    assert list(features.metadata["plate"]) == ["24277", "24277", "24278"]
    assert list(features.metadata["well"]) == ["A01", "B12", "C04"]


def write(table, path):
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")
    return path


@pytest.mark.parametrize("name", ["wells.csv", "wells.tsv", "wells.csv.gz", "wells.tsv.xz", "wells.parquet"])
def test_a_table_of_wells_is_read(tmp_path, name):
    check_wells(load(write(TABLE, tmp_path / name)))


def test_a_separator_that_does_not_fit_the_suffix_and_a_byte_order_mark_are_recognised(tmp_path):
    TABLE.to_csv(path := tmp_path / "wells.csv", index=False, sep=";", encoding="utf-8-sig")
    check_wells(load(path))


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("name", ["wells.csv", "wells.tsv.gz"])
def test_an_encoding_is_recognised(tmp_path, name, encoding, monkeypatch):
    """Also if the first bytes that are not UTF-8 follow after the first rows."""
    monkeypatch.setattr("cloome_kedro.imaging.feature_tables._ROWS", 1)
    table = TABLE.assign(dose=["1", "2", "10 µM"])
    table.to_csv(path := tmp_path / name, index=False, sep="\t" if ".tsv" in name else ",", encoding=encoding)
    features = load(path, not_features=["dose"])
    check_wells(features)
    assert list(features.metadata["dose"]) == ["1", "2", "10 µM"]
    np.save(tmp_path / "matrix.npy", VALUES)
    beside = load(tmp_path / "matrix.npy", rows=str(path))
    assert list(beside.metadata["dose"]) == ["1", "2", "10 µM"]


@pytest.mark.parametrize("name", ["wells.csv", "wells.parquet"])
def test_more_rows_than_are_read_at_once_keep_their_order(tmp_path, name, monkeypatch):
    monkeypatch.setattr("cloome_kedro.imaging.feature_tables._ROWS", 7)
    values = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    table = pd.DataFrame(values, columns=["a", "b", "c"]).assign(field_id=[f"s/p/A01/{i}" for i in range(50)])
    features = load(write(table, tmp_path / name))
    np.testing.assert_array_equal(features.values, values)
    assert list(features.metadata["field_id"]) == list(table["field_id"])


@pytest.mark.parametrize("name", ["wells.csv", "wells.parquet"])
def test_columns_are_named_and_others_are_kept_as_they_are(tmp_path, name):
    table = TABLE.rename(columns={"Metadata_Plate": "Barcode", "Metadata_Well": "Position"})
    path = write(table.assign(smiles=["C", "CC", "CCC"], Batch=[1, 2, 3]), tmp_path / name)
    keys = {"plate": "Barcode", "well": "Position"}
    for options in ({"features": ["^area$", "^text"]}, {"not_features": ["smiles", "^Batch$"]}):
        features = load(path, columns=keys, **options)
        check_wells(features)
        assert list(features.metadata["smiles"]) == ["C", "CC", "CCC"]
        assert [int(number) for number in features.metadata["Batch"]] == [1, 2, 3]
    assert load(path, columns=keys, features=["^area$"]).names == ("area",)


def test_keys_lose_outer_spaces_and_decimals_and_may_be_missing(tmp_path):
    table = pd.DataFrame(
        {"plate": [7.0, 7.0, np.nan], "well": [" A1", None, "A2"], "site": [1, 2, 3], "x": VALUES[:, 0]}
    )
    metadata = load(write(table, tmp_path / "t.parquet")).metadata
    assert list(metadata["plate"]) == ["7", "7", ""]
    assert list(metadata["well"]) == ["A01", "", "A02"]
    assert list(metadata["site"]) == ["1", "2", "3"]
    text = tmp_path / "t.csv"
    text.write_text("plate,well,x\n007,A1,1\n")
    assert list(load(text).metadata["plate"]) == ["007"]


def test_lists_of_parquet_are_features(tmp_path):
    embeddings = pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64()))
    table = pa.table({"InChIKey": ["A", "B"], "embedding": embeddings})
    pq.write_table(table, path := tmp_path / "e.parquet")
    features = load(path)
    assert features.names == ("embedding_0", "embedding_1")
    np.testing.assert_array_equal(features.values, [[1, 2], [3, 4]])
    assert list(features.metadata["inchikey"]) == ["A", "B"]
    pq.write_table(pa.table({"InChIKey": ["A", "B"], "embedding": [[1.0], [3.0, 4.0]]}), path)
    with pytest.raises(DatasetError, match="the lists of the column embedding have different lengths"):
        load(path)


def test_missing_values_are_nan(tmp_path):
    table = TABLE.assign(texture=[1.0, np.nan, 3])
    for name in ("t.csv", "t.parquet"):
        np.testing.assert_array_equal(load(write(table, tmp_path / name)).values[:, 1], [1, np.nan, 3])


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int32])
def test_a_matrix_has_its_keys_beside_it(tmp_path, kind):
    np.save(tmp_path / "dino.npy", np.round(VALUES).astype(kind))
    with pytest.raises(DatasetError, match=r"dino.npy is a matrix without keys: .* beside it as dino.csv"):
        load(tmp_path / "dino.npy")
    WELLS.to_csv(tmp_path / "dino.csv", index=False)
    features = load(tmp_path / "dino.npy")
    assert features.names == ("dino_0", "dino_1")
    np.testing.assert_array_equal(features.values, np.round(VALUES))
    assert list(features.metadata["plate"]) == ["24277", "24277", "24278"]
    WELLS.to_parquet(tmp_path / "keys.parquet")
    assert load(tmp_path / "dino.npy", rows=str(tmp_path / "keys.parquet")).metadata["well"].iloc[0] == "A01"
    assert load(tmp_path / "dino.npy", features=["_1$"]).names == ("dino_1",)
    WELLS[:2].to_csv(tmp_path / "dino.csv", index=False)
    with pytest.raises(DatasetError, match=r"dino.npy has 3 rows, but .*dino.csv has 2: row i of both must agree"):
        load(tmp_path / "dino.npy")


def test_a_matrix_of_pickles_or_of_another_shape_is_refused(tmp_path):
    WELLS.to_csv(tmp_path / "m.csv", index=False)
    np.save(tmp_path / "m.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DatasetError, match="is not a matrix of numbers"):
        load(tmp_path / "m.npy")
    np.save(tmp_path / "m.npy", VALUES[0])
    with pytest.raises(DatasetError, match=r"must be a matrix \(rows, features\) of numbers"):
        load(tmp_path / "m.npy")


@pytest.fixture
def annotated(tmp_path):
    """An AnnData file of three wells, with a sparse layer, an array and a table of other features."""
    anndata = pytest.importorskip("anndata")
    observations = {
        "Plate": ["24277", "24277", "24278"],
        "Well": ["A01", "B12", "C04"],
        "pert_type": ["trt", "trt", "c"],
    }
    index = pd.Index(["1", "2", "3"], dtype=object)
    frame = pd.DataFrame({k: pd.Series(v, dtype=object, index=index) for k, v in observations.items()}, index=index)
    frame["dose"] = [1.0, np.nan, 3.0]
    frame["Plate"] = pd.Categorical(frame["Plate"])
    data = anndata.AnnData(VALUES, frame, pd.DataFrame(index=pd.Index(["area", "texture"], dtype=object)))
    data.layers["doubled"] = sparse.csr_matrix(2 * VALUES)
    data.obsm["dino"] = np.arange(12.0).reshape(3, 4)
    data.obsm["frame"] = pd.DataFrame(VALUES, index=index, columns=pd.Index(["p", "q"], dtype=object))
    data.write_h5ad(path := tmp_path / "wells.h5ad")
    return path


def test_annotated_data_is_read_by_matrix(annotated, monkeypatch):
    monkeypatch.setattr("cloome_kedro.imaging.anndata_files._ROWS", 2)
    features = load(annotated)
    check_wells(features)
    assert list(features.metadata["pert_type"]) == ["trt", "trt", "c"]
    np.testing.assert_array_equal(features.metadata["dose"], [1, np.nan, 3])
    layer = load(annotated, matrix="layers/doubled")
    np.testing.assert_array_equal(layer.values, 2 * VALUES)
    dino = load(annotated, matrix="obsm/dino")
    assert dino.names == ("dino_0", "dino_1", "dino_2", "dino_3")
    np.testing.assert_array_equal(dino.values, np.arange(12).reshape(3, 4))
    check_wells(load(annotated, matrix="obsm/frame"), ("p", "q"))
    assert load(annotated, features=["^tex"]).names == ("texture",)
    with pytest.raises(
        DatasetError, match="there is no matrix layers/x, only X, layers/doubled, obsm/dino, obsm/frame"
    ):
        load(annotated, matrix="layers/x")


def test_without_anndata_the_extra_is_named(annotated, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata.io", None)
    with pytest.raises(
        DatasetError, match=r"needs AnnData, which is not installed: pip install 'cloome-kedro\[anndata\]'"
    ):
        load(annotated)


def test_a_file_that_is_not_annotated_data_is_named(tmp_path):
    pytest.importorskip("anndata")
    (tmp_path / "wells.h5ad").write_text("plate,well\n")
    with pytest.raises(DatasetError, match=r"wells.h5ad cannot be read as AnnData"):
        load(tmp_path / "wells.h5ad")


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_bad_tables_are_named(tmp_path, name):
    def message(table, **options):
        with pytest.raises(DatasetError) as raised:
            load(write(table, tmp_path / name), **options)
        return str(raised.value)

    assert f"{tmp_path / name} has no key: it needs a column field_id" in message(TABLE[["area", "texture"]])
    assert "column area is not numeric" in message(TABLE.assign(area=["1", "2", "large"]))
    assert "has no column Barcode (plate), which `columns` names" in message(TABLE, columns={"plate": "Barcode"})
    assert "'99' is not a well" in message(TABLE.assign(Metadata_Well="99"))
    twice = TABLE.assign(Plate=1)
    assert "the columns Metadata_Plate and Plate could both be the plate: choose one by `columns: {plate:" in message(
        twice
    )
    assert "has no feature among the columns area, texture: correct `features`" in message(TABLE, features=["^Cells_"])
    assert "'(' is not a regular expression" in message(TABLE, features=["("])
    assert "there is no key barcode; the keys are field_id" in message(TABLE, columns={"barcode": "x"})
    assert "has no rows" in message(TABLE[:0])


def test_the_bad_entry_of_a_text_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"column area is not numeric \('large' in row 3\): if it is not a feature"):
        load(write(TABLE.assign(area=["1", "2", "large"]), tmp_path / "t.csv"))
    (tmp_path / "u.csv").write_text("plate,well,x,x\n1,A1,2,3\n")
    with pytest.raises(DatasetError, match="has several columns 'x'"):
        load(tmp_path / "u.csv")
    (tmp_path / "v.csv.gz").write_bytes(gzip.compress(b"plate,well,x\n1,A1,2\n" * 9)[:-4])
    with pytest.raises(DatasetError, match=r"v.csv.gz cannot be read as a table"):
        load(tmp_path / "v.csv.gz")


def test_a_missing_file_another_suffix_and_saving_are_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"there is no table .*t.parquet; put it there, or correct its path"):
        load(tmp_path / "t.parquet")
    (tmp_path / "t.xlsx").write_text("")
    with pytest.raises(DatasetError, match=r"is no table of features; its suffix must be one of .csv, .tsv"):
        load(tmp_path / "t.xlsx")
    dataset = FeatureTable(filepath=str(write(TABLE, tmp_path / "t.csv")))
    assert dataset.exists()
    with pytest.raises(DatasetError, match="is a table of the user, which is read only"):
        dataset.save(TABLE)
