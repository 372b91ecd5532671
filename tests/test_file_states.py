"""Files of datasets, and when they count as changed."""

import os
from pathlib import Path

import pandas as pd
import pytest

from cloome_kedro.datasets.captioned import CaptionedTableDataset
from cloome_kedro.datasets.checkpoint import NamedCheckpoints
from cloome_kedro.datasets.feature_table import FeatureTable
from cloome_kedro.datasets.figures import FigureDataset
from cloome_kedro.datasets.files import TableFiles, TextFiles
from cloome_kedro.datasets.folder import FolderDataset
from cloome_kedro.datasets.handle import HandleDataset
from cloome_kedro.datasets.label_table import LabelTable
from cloome_kedro.datasets.published import PublishedCheckpoint
from cloome_kedro.datasets.tables import Table, UserTable
from cloome_kedro.file_states import MISSING, places, state
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.stacks import folders_outside


def test_a_state_changes_with_names_sizes_and_times(tmp_path):
    (tmp_path / "below").mkdir()
    file = tmp_path / "below" / "a.txt"
    file.write_text("abc")
    before = state([tmp_path])
    assert state([tmp_path]) == before
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1))
    later = state([tmp_path])
    assert later != before, "time"
    about = file.stat()
    file.write_text("abcd")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert state([tmp_path]) != later, "size"
    (tmp_path / ".hidden.part").write_text("of a run that writes")
    now = state([tmp_path])
    (tmp_path / ".hidden.part").unlink()
    assert state([tmp_path]) == now, "temporary files do not count"
    (tmp_path / "empty").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "below" / "loop").symlink_to(tmp_path)
    assert state([tmp_path]) != now
    assert state([tmp_path / "nothing"]) == state([]) == MISSING


@pytest.mark.parametrize(
    ("dataset", "names"),
    [
        (lambda f: Table(filepath=str(f / "a.parquet")), ["a.parquet"]),
        (lambda f: UserTable(filepath=str(f / "a.csv")), ["a.csv"]),
        (lambda f: FigureDataset(filepath=str(f / "a.png")), ["a.png", "a.pdf", "a.svg", "a.webp"]),
        (lambda f: CaptionedTableDataset(filepath=str(f / "a.csv")), ["a.csv", "a.md"]),
        (lambda f: LabelTable(filepath=str(f / "labels.parquet")), ["labels.csv.gz"]),
        (lambda f: FeatureTable(filepath=str(f / "a.npy"), rows=str(f / "b.csv")), ["a.npy", "b.csv"]),
        (lambda f: PublishedCheckpoint(filepath=str(f / "a.pt"), config=str(f / "a.json")), ["a.pt", "a.json"]),
        (lambda f: NamedCheckpoints(filepath=str(f), checkpoints={"A": "a/b"}), ["b"]),
        (lambda f: TableFiles(filepath=str(f), pattern="*.csv.gz", missing=""), ["labels.csv.gz"]),
        (lambda f: TextFiles(filepath=str(f), patterns=["*.gz", "labels*"]), ["labels.csv.gz"]),
        (lambda f: HandleDataset(filepath=str(f / "plates"), handle="pathlib.Path"), ["plates"]),
        (lambda f: FolderDataset(filepath=str(f / "raw")), ["raw"]),
    ],
)
def test_a_dataset_names_all_its_files(tmp_path, dataset, names):
    (tmp_path / "labels.csv.gz").touch()
    assert [path.name for path in places(dataset(tmp_path))] == names


def test_what_is_elsewhere_is_not_known():
    from kedro_datasets.pandas import CSVDataset

    url = {"url": "postgresql://somewhere"}
    assert places(HandleDataset(filepath="study", handle="pathlib.Path", credentials=url)) is None
    assert places(HandleDataset(filepath="study", handle="pathlib.Path", credentials={"url": None})) == [Path("study")]
    assert places(FolderDataset(filepath="s3://bucket/screen")) is None
    assert places(CSVDataset(filepath="https://somewhere/a.csv")) is None
    assert places(object()) is None


def test_folders_of_images_outside_of_the_screen_are_listed(tmp_path):
    inside, outside = tmp_path / "screen" / "images", tmp_path / "screen_2"
    index = pd.DataFrame({f"path_{channel}": [f"{inside}/1.tif", f"{outside}/2.tif"] for channel in CHANNELS})
    assert folders_outside(index, tmp_path / "screen") == [str(outside)]
    assert folders_outside(index.head(1), tmp_path / "screen") == []
    index[f"more_{CHANNELS[0]}"] = [None, f'[["{tmp_path}/z/3.tif", null]]']
    assert folders_outside(index, tmp_path / "screen") == [str(outside), str(tmp_path / "z")]
    index[f"path_{CHANNELS[1]}"] = "s3://bucket/1.tif"
    assert folders_outside(index, tmp_path / "screen") is None
