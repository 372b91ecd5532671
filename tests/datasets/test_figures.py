"""Figures in the catalog: which files there are, and what loading and preview give."""

import base64
import inspect
import io

import numpy as np
import pytest
from kedro.io import DatasetError
from matplotlib.figure import Figure
from PIL import Image

from cloome_kedro.datasets.figures import FigureDataset


def curves(value=3):
    figure = Figure(figsize=(3, 2))
    axes = figure.add_subplot()
    axes.plot([1, 2, value], label="curve")
    axes.legend()
    return figure


def photographs():
    figure = Figure(figsize=(2, 2))
    figure.add_subplot(1, 2, 1).plot([1, 2])
    figure.add_subplot(1, 2, 2).imshow(np.random.default_rng(0).random((20, 20)))
    return figure


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def decoded(uri, mime):
    head, _, data = uri.partition(",")
    assert head == f"data:{mime};base64"
    return base64.b64decode(data)


def test_curves_are_png_and_svg(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "deep" / "figure.png"))
    assert not dataset.exists()
    dataset.save(curves())
    assert dataset.exists()
    written = files(tmp_path / "deep")
    assert set(written) == {"figure.png", "figure.svg"}
    assert Image.open(io.BytesIO(written["figure.png"])).size == (390, 260)
    assert decoded(dataset.load(), "image/svg+xml") == written["figure.svg"]
    assert b"<svg" in written["figure.svg"]


def test_photographs_are_png_and_webp(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(photographs())
    written = files(tmp_path)
    assert set(written) == {"figure.png", "figure.webp"}
    assert Image.open(io.BytesIO(written["figure.webp"])).format == "WEBP"
    assert decoded(dataset.load(), "image/webp") == written["figure.webp"]


def test_resolution_and_pdf_are_as_asked(tmp_path):
    FigureDataset(filepath=str(tmp_path / "figure.png"), dpi=300, pdf=True).save(curves())
    written = files(tmp_path)
    assert set(written) == {"figure.png", "figure.svg", "figure.pdf"}
    assert Image.open(io.BytesIO(written["figure.png"])).size == (900, 600)
    assert written["figure.pdf"].startswith(b"%PDF")


@pytest.mark.parametrize("make", [curves, photographs])
def test_the_same_figure_gives_the_same_bytes(tmp_path, make):
    for name in ("one", "two"):
        FigureDataset(filepath=str(tmp_path / name / "figure.png"), pdf=True).save(make())
    assert files(tmp_path / "one") == files(tmp_path / "two")
    FigureDataset(filepath=str(tmp_path / "two" / "figure.png"), pdf=True).save(curves(5))
    assert files(tmp_path / "one") != files(tmp_path / "two")


def test_a_figure_of_another_kind_takes_the_place_of_the_old_one(tmp_path):
    """Otherwise the report would go on to show the old one."""
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    for make, suffix in ((curves, "svg"), (photographs, "webp"), (curves, "svg")):
        dataset.save(make())
        assert set(files(tmp_path)) == {"figure.png", f"figure.{suffix}"}
        assert suffix in dataset.load()


def test_preview_is_what_kedro_viz_shows_as_an_image(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(curves())
    assert inspect.signature(dataset.preview).return_annotation.__name__ == "ImagePreview"
    assert base64.b64decode(dataset.preview()) == files(tmp_path)["figure.png"]


def test_a_figure_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        DatasetError, match=r"there is no .*figure.svg or .webp: run the pipeline that draws this figure"
    ):
        FigureDataset(filepath=str(tmp_path / "figure.png")).load()


def test_a_failed_save_leaves_no_half_file(tmp_path, monkeypatch):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(curves())
    before = files(tmp_path)

    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr("cloome_kedro.reporting.images.encode", fail)
    with pytest.raises(DatasetError, match="no space left"):
        dataset.save(curves(5))
    assert files(tmp_path) == before


@pytest.mark.parametrize("draw", [curves, photographs])
@pytest.mark.parametrize("size", [0, 5, 100, -20])
def test_a_damaged_figure_is_refused_with_its_path(tmp_path, draw, size):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(draw())
    (path,) = [path for path in tmp_path.iterdir() if path.suffix != ".png"]
    content = path.read_bytes()
    path.write_bytes(content[:size])
    with pytest.raises(DatasetError, match=rf"{path.name} is damaged: run the pipeline that draws this figure again"):
        dataset.load()
