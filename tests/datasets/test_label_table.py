"""Tables of labels as files: their formats, and where they are looked for."""

import gzip

import pandas as pd
import pytest
from kedro.io import DatasetError

from cloome_kedro.datasets.label_table import LabelTable
from made_up_compounds import made_up_key

KEYS = [made_up_key(0), made_up_key(1)]
TABLE = pd.DataFrame({"inchikey": KEYS, "x": [1.0, None], "y": [0.0, 1.0]})
TEXTS = {"inchikey": KEYS, "x": ["1", ""], "y": ["0", "1"]}


def write(folder, suffix):
    path = folder / f"assay_labels{suffix}"
    if suffix == ".parquet":
        TABLE.to_parquet(path)
        return
    text = "\n".join("\t".join(row) for row in [TEXTS, *zip(*TEXTS.values(), strict=True)])
    text = text if ".tsv" in suffix else text.replace("\t", "," if "csv" in suffix else ";")
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".csv.gz", ".tsv.gz", ".txt"])
def test_all_formats_give_the_same_table(tmp_path, suffix):
    dataset = LabelTable(filepath=str(tmp_path / "assay_labels.parquet"))
    assert not dataset.exists()
    assert dataset.load().empty
    write(tmp_path, suffix)
    assert dataset.exists()
    table = dataset.load()
    assert table.to_dict("list") == TEXTS
    assert table.attrs["file"] == str(tmp_path / f"assay_labels{suffix}")


def test_two_tables_are_named(tmp_path):
    write(tmp_path, ".csv")
    write(tmp_path, ".tsv.gz")
    with pytest.raises(DatasetError, match=r"several tables of labels: .*labels\.csv and .*labels\.tsv\.gz"):
        LabelTable(filepath=str(tmp_path / "assay_labels.parquet")).load()
    assert LabelTable(filepath=str(tmp_path / "assay_labels.csv")).load().to_dict("list") == TEXTS


def test_an_unreadable_table_is_named(tmp_path):
    (tmp_path / "assay_labels.csv").write_bytes(b"\x00" * 30)
    with pytest.raises(DatasetError, match=r"assay_labels\.csv cannot be read as a table"):
        LabelTable(filepath=str(tmp_path / "assay_labels.parquet")).load()


def test_only_labels_are_saved_and_only_as_parquet(tmp_path):
    dataset = LabelTable(filepath=str(tmp_path / "deep" / "assay_labels.parquet"))
    dataset.save(TABLE)
    assert dataset.load().to_dict("list") == TEXTS
    with pytest.raises(DatasetError, match="x"):
        dataset.save(TABLE.assign(x=0.5))
    assert dataset.load().to_dict("list") == TEXTS, "the file is still the last good one"
    with pytest.raises(DatasetError, match="read only"):
        LabelTable(filepath=str(tmp_path / "labels.csv")).save(TABLE)
