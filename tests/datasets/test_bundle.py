import pandas as pd
import pytest
from kedro.io import DatasetError

from cloome_kedro.datasets.bundle import Bundle

TABLE = pd.DataFrame({"": ["a", None], "value": [1.5, float("nan")], "count": [1, 2], "best": [True, False]})
VALUES = {"table": TABLE, "empty": TABLE.iloc[:0], "models": {"cloome": {"epoch": None, "layers": [1, 2]}}, "text": "–"}


def bundle(folder):
    return Bundle(filepath=str(folder / "results"), metadata={"description": "All of it"})


def test_tables_and_other_values_come_back_as_they_were(tmp_path):
    dataset = bundle(tmp_path)
    assert not dataset.exists()
    dataset.save(VALUES)
    assert dataset.exists()
    found = dataset.load()
    assert set(found) == set(VALUES)
    for name, value in VALUES.items():
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(found[name], value)
        else:
            assert found[name] == value
    assert dataset.preview() == "All of it"


def test_saving_replaces_all_values(tmp_path):
    dataset = bundle(tmp_path)
    dataset.save(VALUES)
    dataset.save({"text": "new"})
    assert dataset.load() == {"text": "new"}
    with pytest.raises(DatasetError, match="not JSON serializable"):
        dataset.save({"text": object()})
    assert dataset.load() == {"text": "new"}, "a failed save leaves the values"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


@pytest.mark.parametrize("name", ["table.parquet", "models.json"])
def test_what_is_missing_or_damaged_is_named(tmp_path, name):
    dataset = bundle(tmp_path)
    with pytest.raises(DatasetError, match=r"results is missing: run the pipeline that writes it"):
        dataset.load()
    dataset.save(VALUES)
    (tmp_path / "results" / name).write_bytes(b"{half")
    with pytest.raises(DatasetError, match=rf"results/{name} cannot be read .*: run the pipeline that writes it again"):
        dataset.load()
