"""The benchmark of the fit runs on a CPU, with no more installed than it says that it needs."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from blocked_imports import run_with_the_rest_blocked

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "train_gpu.py"
NEEDED = ["torch", "torchvision", "lightning-fabric", "numpy", "safetensors", "tqdm"]
RUN = "import runpy; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
TINY = (
    *("--accelerator", "cpu", "--precision", "32-true", "--no-compile", "--width", "4", "--crop", "32"),
    *("--fields", "16", "--field-size", "40", "48", "--batch-size", "8", "--steps", "2", "--epochs", "2"),
)


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def test_measures_with_its_own_libraries_alone(tmp_path, monkeypatch):
    (scratch := tmp_path / "scratch").mkdir()
    options = [*TINY, "--micro-batch-size", "4", "--plain", "--folder", str(scratch), "--json", str(tmp_path / "found")]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # on a busy machine threads lose much
    done = run_with_the_rest_blocked(RUN, NEEDED, str(SCRIPT), *options)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found").read_text())
    assert (found["batch_size"], found["micro_batch_size"], found["field_size"]) == (8, 4, [40, 48])
    assert 0 <= found["waiting_fraction"] < 1
    assert found["peak_memory_gib"] > 0.1  # torch alone is that large
    # all of the training's time is within the run's, validation and start beside it
    counted = found["steps"] * found["batch_size"]
    speeds = found["first_epoch_images_per_second"], found["images_per_second"]  # of the two epochs
    assert 0 < sum(counted / speed for speed in speeds) < found["wall_seconds"]
    assert found["ratio_to_plain"] == pytest.approx(found["images_per_second"] / found["plain_images_per_second"])
    assert found["step_milliseconds"] == pytest.approx(1000 * found["batch_size"] / found["images_per_second"])
    assert found["loader_images_per_second"] > found["images_per_second"]
    assert found["embedding_to_plain"] == pytest.approx(
        found["embedding_images_per_second"] / found["plain_images_per_second"]
    )
    assert f"images_per_second               {found['images_per_second']:.3f}" in done.stdout
    assert not list(scratch.iterdir())


def test_reads_fields_by_position_over_plates(script, tmp_path):
    store, rows = script["Store"](tmp_path), script["ROWS"]
    store.write(rows + 3, 4, 6)
    plates = np.concatenate([np.load(tmp_path / f"plate{number}.npy") for number in (0, 1)])
    positions = np.array([rows + 2, 0, rows - 1, rows, 0])
    assert plates.shape == (rows + 3, 5, 4, 6)
    np.testing.assert_array_equal(store(positions), plates[positions])


def test_validation_counts_matches_that_come_first(script):
    compounds = np.eye(4, dtype=np.float32)
    assert script["measure"](compounds[[0, 1, 3, 2]], compounds)["top1"] == 0.5


def test_an_epoch_has_any_length_and_an_eighth_validates(script, tmp_path):
    data = script["make_data"](script["Store"](tmp_path), 24, 32, 50)
    assert data.validation.tolist() == [0, 1, 2]
    assert len(data.train) == 50
    assert set(data.train) == set(range(3, 24))
    assert data.compound.rows.read(np.array([4, 5])).shape == (2, script["BITS"])


@pytest.mark.parametrize(
    ("option", "message"), [("--epochs", "the first epoch is not counted"), ("--fields", "must be at least 4")]
)
def test_too_little_to_measure(script, option, message, capsys):
    with pytest.raises(SystemExit):
        script["main"]([option, "1"])
    assert message in capsys.readouterr().err
