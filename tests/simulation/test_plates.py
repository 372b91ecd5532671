"""Fields and plates: repeatable one by one, written whole or not at all, and like a real field."""

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro.simulation import plates
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.plates import generator, render_fields, write_plate
from cloome_kedro.simulation.stains import CHANNELS

CONFIG = ScreenConfig(field_size=32, sites=2)
PINNED = 3126205649  # the first number of (0, "P1", "A01", 1)
UNTREATED = np.zeros((6, len(AXES)))


@pytest.fixture
def wells():
    phenotypes = np.random.default_rng(0).normal(0, 0.5, (3, len(AXES)))
    table = pd.DataFrame(phenotypes, columns=[f"realised_{axis}" for axis in AXES])
    return table.assign(well=["B03", "A01", "P24"], plate="P1", compound_id=["x", "y", None])


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_generators_do_not_depend_on_process_or_machine():
    assert generator(0, "P1", "A01", 1).integers(0, 2**32) == PINNED
    others = [generator(*names).integers(0, 2**32) for names in ((1, "P1", "A01", 1), (0, "P1", "A0", 11), (0, "P1"))]
    assert len({PINNED, *others}) == 4


def test_any_field_can_be_rendered_alone():
    sites = [1, 2, 3, 4, 5, 6]
    together = render_fields(UNTREATED, 32, 7, "P1", ["A01"] * 3 + ["C05"] * 3, sites)
    alone = render_fields(UNTREATED[:1], 32, 7, "P1", ["C05"], [5])
    assert together.shape == (6, 5, 32, 32)
    assert together.dtype == np.uint16
    assert together.max() <= 4095
    np.testing.assert_array_equal(alone[0], together[4])
    assert not np.array_equal(together[0], together[1])
    for other in ({"seed": 8, "plate": "P1"}, {"seed": 7, "plate": "P2"}):
        again = render_fields(UNTREATED[:1], 32, wells=["C05"], sites=[5], **other)
        assert not np.array_equal(again, alone)


@pytest.mark.parametrize("phenotypes", [np.zeros((2, len(AXES) - 1)), np.full((1, len(AXES)), np.nan)])
def test_wrong_phenotypes_are_refused(phenotypes):
    with pytest.raises(ValueError, match="phenotypes must be finite"):
        render_fields(phenotypes, 32, 0)


def test_a_field_shows_the_same_cells_at_any_size():
    small, large = (render_fields(UNTREATED, size, 1, plate_effect_strength=0) for size in (48, 96))
    binned = large.reshape(6, 5, 48, 2, 48, 2).mean((3, 5))
    assert np.median(binned) == pytest.approx(np.median(small), rel=0.05)


def test_a_written_plate_is_what_was_rendered(tmp_path, wells):
    assert write_plate(tmp_path, "P1", wells, CONFIG) == 6
    table = pd.read_csv(tmp_path / "load_data_csv" / "P1" / "load_data.csv")
    assert list(table["Metadata_Well"]) == ["A01", "A01", "B03", "B03", "P24", "P24"]
    assert list(table["Metadata_Site"]) == [1, 2] * 3
    row = table.iloc[3]
    vector = wells.set_index("well").loc[["B03"], [f"realised_{axis}" for axis in AXES]].to_numpy()
    expected = render_fields(vector, 32, CONFIG.seed, "P1", ["B03"], [2])[0]
    for channel, image in zip(CHANNELS, expected, strict=True):
        path = tmp_path / row[f"PathName_Orig{channel}"] / row[f"FileName_Orig{channel}"]
        np.testing.assert_array_equal(tifffile.imread(path), image)
        with tifffile.TiffFile(path) as tiff:
            tags = tiff.pages[0].tags
            assert tags["Compression"].value == tifffile.COMPRESSION.ADOBE_DEFLATE
            assert tags["Predictor"].value == tifffile.PREDICTOR.HORIZONTAL
            assert "DateTime" not in tags


def test_writing_twice_gives_the_same_bytes_whatever_the_order_of_wells(tmp_path, wells):
    write_plate(tmp_path / "a", "P1", wells, CONFIG)
    write_plate(tmp_path / "b", "P1", wells[::-1], CONFIG)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_only_a_changed_or_damaged_plate_is_rendered_again(tmp_path, wells, monkeypatch):
    write_plate(tmp_path, "P1", wells, CONFIG)
    before = files(tmp_path)
    calls = []
    monkeypatch.setattr(plates, "render_fields", lambda *args: calls.append(args) or render_fields(*args))

    write_plate(tmp_path, "P1", wells, CONFIG)
    assert not calls
    for number, damaged in enumerate((tmp_path / "images" / "P1", tmp_path / "load_data_csv" / "P1"), start=1):
        next(path for path in damaged.iterdir() if path.suffix != ".sha256").unlink()
        write_plate(tmp_path, "P1", wells, CONFIG)
        assert len(calls) == 3 * number
        assert files(tmp_path) == before
    write_plate(tmp_path, "P1", wells.assign(realised_vacuoles=1.0), CONFIG)
    assert len(calls) == 9
    assert files(tmp_path) != before


def test_a_killed_run_leaves_no_half_plate_and_the_next_one_finishes(tmp_path, wells, monkeypatch):
    write_plate(tmp_path / "whole", "P1", wells, CONFIG)
    write = tifffile.imwrite
    left = iter(range(7))

    def dying(*args, **kwargs):
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(*args, **kwargs)

    monkeypatch.setattr(tifffile, "imwrite", dying)
    with pytest.raises(KeyboardInterrupt):
        write_plate(tmp_path / "cut", "P1", wells, CONFIG)
    assert not (tmp_path / "cut" / "images" / "P1").exists()
    assert not (tmp_path / "cut" / "load_data_csv" / "P1").exists()
    monkeypatch.undo()
    write_plate(tmp_path / "cut", "P1", wells, CONFIG)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_untreated_fields_have_the_levels_and_correlations_of_a_real_one(cloome_data):
    names = ("Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst")
    real = np.stack([tifffile.imread(cloome_data / "cloome_field" / f"{name}.tif") for name in names])
    real = real.reshape(5, 260, 2, 348, 2).mean((2, 4))  # to our pixel size
    corners = [(y, x) for y in (0, 82, 164) for x in (0, 84, 168, 250)]
    real = np.stack([real[:, y : y + 96, x : x + 96] for y, x in corners])
    drawn = np.concatenate([render_fields(UNTREATED, 96, 0, f"P{i}") for i in range(8)])
    for q, tolerance in ((1, 0.25), (50, 0.25), (99, 0.4)):
        levels = [np.percentile(fields, q, axis=(0, 2, 3)) for fields in (drawn, real)]
        np.testing.assert_allclose(*levels, rtol=tolerance)
    correlations = [np.mean([np.corrcoef(f.reshape(5, -1)) for f in fields], axis=0) for fields in (drawn, real)]
    np.testing.assert_allclose(*correlations, atol=0.25)
