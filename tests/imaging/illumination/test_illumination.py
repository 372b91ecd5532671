"""Functions, estimates and evenness, on arrays with known illumination."""

import importlib.util

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.imaging.illumination.estimate import GRID, estimate_functions, grid_of
from cloome_kedro.imaging.illumination.evenness import evenness_table, mean_images, ratio_of_means
from cloome_kedro.imaging.illumination.functions import check_shape, divide, read_function, resized, scaled
from cloome_kedro.imaging.illumination.plate import (
    ESTIMATED,
    PROVIDED,
    TOO_FEW,
    Corrector,
    functions_of_plate,
    is_kept,
    keep,
    read_kept,
)
from cloome_kedro.imaging.illumination.settings import (
    EstimatedIllumination,
    ProvidedIllumination,
    illumination_of,
)
from cloome_kedro.stores import DamagedFile


def light(shape=(48, 64), depth=0.4, centre=(0.1, -0.15)):
    """Smooth light that falls to the corners, with mean 1."""
    y, x = ((2 * np.arange(side) + 1) / side - 1 for side in shape)  # centres of pixels
    values = 1 - depth * ((y[:, None] - centre[0]) ** 2 + (x[None, :] - centre[1]) ** 2) / 2
    return values / values.mean()


def fields(number, lights, level=300.0, seed=0):
    """(N, C, H, W) uint16: flat images with photon noise, each with its own brightness, times the light."""
    rng = np.random.default_rng(seed)
    brightness = rng.uniform(0.5, 1.5, (number, 1, 1, 1)) * level
    return rng.poisson(brightness * np.asarray(lights)).astype(np.uint16)


FIVE = [light(depth=depth) for depth in (0.1, 0.2, 0.3, 0.4, 0.5)]


def index_of(number, bit_depth=16):
    names = [f"s/P1/A01/{i}" for i in range(number)]
    return pd.DataFrame({"field_id": names, "plate": "P1", "bit_depth": bit_depth})


def reader(images, bad=()):
    def read(index):
        for name in index["field_id"]:
            number = int(name.rpartition("/")[2])
            yield (name, None, "bad") if number in bad else (name, images[number], None)

    return read


@pytest.mark.parametrize("smoothing", ["gaussian", "median"])
def test_a_known_light_is_recovered(smoothing):
    settings = EstimatedIllumination("estimate", smoothing=smoothing)
    found = estimate_functions(fields(60, FIVE).astype(np.float32), settings)
    for function, true in zip(found, FIVE, strict=True):
        np.testing.assert_allclose(function / function.mean(), true, rtol=0.04)


def test_bright_specks_do_not_survive_the_median():
    images = fields(60, FIVE)
    images[0, :, 20:22, 20:22] = 65535
    estimates = {}
    for smoothing in ("gaussian", "median"):
        settings = EstimatedIllumination("estimate", smoothing=smoothing)
        function = estimate_functions(images.astype(np.float32), settings)[0]
        estimates[smoothing] = abs(function / function.mean() / FIVE[0] - 1).max()
    assert estimates["median"] < 0.03 < estimates["gaussian"]


@pytest.mark.skipif(importlib.util.find_spec("basicpy") is None, reason="BaSiCPy is not installed")
def test_basic_recovers_a_known_light():
    images = fields(40, [light((32, 32), 0.4)] * 5).astype(np.float32)
    function = estimate_functions(images[:, :1], EstimatedIllumination("estimate", method="basic"))[0]
    np.testing.assert_allclose(function / function.mean(), light((32, 32), 0.4), rtol=0.05)


@pytest.mark.skipif(importlib.util.find_spec("basicpy") is not None, reason="BaSiCPy is installed")
def test_basic_says_how_it_is_installed():
    with pytest.raises(ImportError, match=r"pip install --no-deps basicpy"):
        estimate_functions(np.ones((3, 1, 8, 8), np.float32), EstimatedIllumination("estimate", method="basic"))


def test_a_black_channel_is_left_as_it_is():
    images = fields(10, FIVE).astype(np.float32)
    images[:, 2] = 0
    found = estimate_functions(images, EstimatedIllumination("estimate", minimum_fields=2))
    assert (found[2] == 1).all()
    assert (found[1] != 1).any()


def test_dark_borders_do_not_give_huge_gains():
    images = fields(10, FIVE).astype(np.float32)
    images[..., :3] = 0
    found = estimate_functions(images, EstimatedIllumination("estimate", minimum_fields=2, width=0.02))
    assert np.isfinite(found).all()
    assert (found.max(axis=(1, 2)) / found.min(axis=(1, 2)) < 15).all()


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_grids_are_small_and_keep_proportions(height, width):
    grid = grid_of((height, width))
    assert min(grid) >= 1
    assert max(grid) <= GRID
    assert grid == (height, width) or max(grid) == GRID
    assert abs(grid[0] / GRID - height / max(height, width)) <= 0.5 / GRID or min(grid) == 1 or grid == (height, width)


@given(st.floats(1e-3, 1e6), st.integers(0, 2**32))
def test_a_constant_function_changes_nothing(value, seed):
    raw = np.random.default_rng(seed).integers(0, 65536, (5, 6, 7)).astype(np.uint16)
    gains = np.stack([1 / scaled(np.full((6, 7), value))] * 5)
    np.testing.assert_array_equal(divide(raw, gains, 65535), raw)


def test_scaling_is_that_of_cellprofiler_and_keeps_its_functions():
    values = np.arange(1.0, 101).reshape(10, 10)  # the robust minimum is the third smallest value: int(0.02 x 100) = 2
    np.testing.assert_allclose(scaled(values), values / 3, rtol=1e-6)
    by_cellprofiler = np.maximum(values, 3) / 3
    np.testing.assert_array_equal(scaled(by_cellprofiler), by_cellprofiler.astype(np.float32))


@pytest.mark.parametrize(("dtype", "depth"), [(np.uint16, 12), (np.uint16, 16), (np.uint8, 8)])
def test_provided_functions_are_undone(dtype, depth):
    function = scaled(light())
    flat = np.random.default_rng(0).integers(0, 2 ** (depth - 1), (5, *function.shape))
    raw = np.rint(flat * function).astype(dtype)
    corrected = divide(raw, np.stack([1 / function] * 5), 2**depth - 1)
    assert corrected.dtype == dtype
    assert abs(corrected.astype(int) - flat).max() <= 1  # the raw image is rounded, too


def test_values_stay_within_the_bit_depth():
    gains = np.full((1, 2, 2), 3, np.float32)
    raw = np.array([[[0, 1000], [2000, 4095]]], np.uint16)
    assert divide(raw, gains, 4095).tolist() == [[[0, 3000], [4095, 4095]]]


def test_functions_are_resized_by_whole_factors():
    function = light((24, 32)).astype(np.float32)
    check_shape((24, 32), (48, 64), "f.npy")
    check_shape((96, 128), (48, 64), "f.npy")
    np.testing.assert_allclose(resized(function[None], (48, 64))[0], light((48, 64)), rtol=0.005)
    np.testing.assert_array_equal(resized(np.full((1, 1, 1), 2, np.float32), (3, 4)), np.full((1, 3, 4), 2))
    np.testing.assert_allclose(resized(function[None], (12, 16))[0], light((12, 16)), rtol=0.02)
    for shape in ((47, 64), (48, 96), (12, 64), (24, 16)):
        with pytest.raises(ValueError, match=r"f\.npy has the shape \(24, 32\), which is no whole multiple"):
            check_shape((24, 32), shape, "f.npy")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (np.ones((2, 3, 4)), r"has the shape \(2, 3, 4\), but \(height, width\) is needed"),
        (np.ones(0), "has the shape"),
        (np.array([["a"]]), "has values of the type <U1, but numbers are needed"),
        (np.ones((2, 2), complex), "numbers are needed"),
        (np.ones((2, 2), bool), "numbers are needed"),
        (np.array([[1.0, np.nan], [np.inf, 1.0]]), "has 2 values that are not finite"),
        (np.array([[1.0, 0.0], [-1.0, 1.0]]), "has 2 values that are 0 or negative"),
        (np.array([[1, object()]], dtype=object), "cannot be read"),
        (b"", "cannot be read"),
        (b"II*\0 a TIFF", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_bad_files_are_named(tmp_path, content, problem):
    path = tmp_path / "P1_IllumDNA.npy"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=rf"P1_IllumDNA\.npy.*{problem}.*Correct it"):
        read_function(str(path), str(path))


def test_truncated_files_are_named(tmp_path):
    path = tmp_path / "f.npy"
    np.save(path, light())
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"f\.npy cannot be read"):
        read_function(str(path), str(path))


def test_an_estimate_skips_bad_fields_and_is_measured_on_others():
    images = fields(100, FIVE)
    index = index_of(100)
    settings = EstimatedIllumination("estimate", fields=60, minimum_fields=60)
    made = functions_of_plate(index, settings, (48, 64), reader(images, bad=range(10)))
    assert made.basis == ESTIMATED
    assert len(made.estimated_from) == 60
    assert not {f"s/P1/A01/{i}" for i in range(10)} & set(made.estimated_from)
    corrector = Corrector(made, index, (48, 64))
    assert corrector.held_out
    for number in range(10, 100):
        corrector(f"s/P1/A01/{number}", images[number], measure=True)
    effect = corrector.effect()
    assert effect["corners"].shape == (2, 30, 5)
    again = functions_of_plate(index, settings, (48, 64), reader(images, bad=range(10)))
    np.testing.assert_array_equal(again.functions, made.functions)


def test_the_effect_is_kept_and_measured(tmp_path):
    images, index = fields(60, FIVE), index_of(60)
    settings = EstimatedIllumination("estimate", fields=40, minimum_fields=30)
    corrector = Corrector(functions_of_plate(index, settings, (48, 64), reader(images)), index, (48, 64))
    for number, image in enumerate(images):
        corrector(f"s/P1/A01/{number}", image, measure=True)
    keep(tmp_path / "new/P1.npz", corrector, "abc")
    kept = read_kept(tmp_path / "new/P1.npz")
    assert is_kept(tmp_path / "new/P1.npz", "abc")
    assert not is_kept(tmp_path / "new/P1.npz", "other")
    assert (kept.basis, kept.estimated_from, kept.held_out) == (ESTIMATED, 40, True)
    table = evenness_table({"P1": kept}, 0.95)
    assert table["fields"].tolist() == [20] * 5
    for row, true in zip(table.to_dict("records"), FIVE, strict=True):
        parts = [true[rows, columns] for rows in (slice(6), slice(-6, None)) for columns in (slice(8), slice(-8, None))]
        expected = np.mean(parts) / true[18:30, 24:40].mean()
        assert row["corners_before"] == pytest.approx(expected, rel=0.01)
        assert row["low_before"] < row["corners_before"] < row["high_before"]
        assert row["corners_after"] == pytest.approx(1, abs=0.02)
        assert row["largest_gain"] == pytest.approx(true.max() / true.min(), rel=0.05)
    before, after = mean_images({"P1": kept, "P2": kept})
    assert np.ptp(after[4]) < 0.1 < 0.4 < np.ptp(before[4])


def test_too_few_fields_are_not_corrected():
    images, index = fields(9, FIVE), index_of(9)
    made = functions_of_plate(index, EstimatedIllumination("estimate", minimum_fields=10), (48, 64), reader(images))
    assert made.basis == TOO_FEW
    raw = images[0]
    assert Corrector(made, index, (48, 64))("s/P1/A01/0", raw, measure=True) is raw


def test_provided_functions_of_a_plate(tmp_path):
    paths = [str(tmp_path / f"{number}.npy") for number in range(5)]
    for path, function in zip(paths, FIVE, strict=True):
        np.save(path, function)
    made = functions_of_plate(index_of(1), ProvidedIllumination("provided"), (48, 64), reader([]), paths)
    assert made.basis == PROVIDED
    np.testing.assert_array_equal(made.functions, [scaled(function) for function in FIVE])
    with pytest.raises(ValueError, match="provided, but none is given"):
        functions_of_plate(index_of(1), ProvidedIllumination("provided"), (48, 64), reader([]))


def test_damaged_files_are_named(tmp_path):
    (tmp_path / "P1.npz").write_bytes(b"PK\3\4 damaged")
    with pytest.raises(DamagedFile, match=r"P1\.npz is damaged.*run the pipeline ingestion again"):
        read_kept(tmp_path / "P1.npz")
    assert not is_kept(tmp_path / "P1.npz", "abc")
    with pytest.raises(FileNotFoundError):
        read_kept(tmp_path / "P2.npz")


def test_the_interval_of_a_ratio_covers_the_true_ratio():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        centre = rng.gamma(4, 50, 40)
        corner = 0.7 * centre * rng.normal(1, 0.2, 40)
        _, low, high = ratio_of_means(corner, centre, 0.9)
        covered += low < 0.7 < high
    assert 0.84 < covered / 400 < 0.95
    assert np.isnan(ratio_of_means(np.zeros(3), np.zeros(3), 0.9)).all()
    assert np.isnan(ratio_of_means(np.zeros(0), np.zeros(0), 0.9)).all()
    assert ratio_of_means(np.ones(1), np.full(1, 2), 0.9)[0] == 0.5


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"width": 0}, "width must be above 0 and at most 1, is 0"),
        ({"fields": 1}, "fields must be at least 2"),
        ({"minimum_fields": 300}, r"minimum_fields \(300\) must not be above fields \(256\)"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_bad_settings_are_refused(settings, problem):
    with pytest.raises(ValueError, match=problem):
        illumination_of({"source": "estimate", **settings})


def test_a_pattern_needs_the_channel():
    with pytest.raises(ValueError, match=r"has no \{channel\}"):
        illumination_of({"source": "provided", "files": "illum/{plate}.npy"})
