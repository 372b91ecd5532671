"""Figures as bytes."""

import io
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from cloome_kedro.reporting.images import encode

SIGNATURES = {"svg": rb"<\?xml.*<svg ", "webp": b"RIFF....WEBP", "png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-"}


def make_figure():
    """A chart beside a picture; the clipped line gives the SVG ids."""
    figure = Figure(figsize=(2, 1))
    chart, picture = figure.subplots(1, 2)
    chart.plot([1, 5, 2], label="values")
    chart.set_ylim(2, 3)
    chart.legend()
    picture.imshow(np.arange(12).reshape(3, 4))
    return figure


@pytest.mark.parametrize("kind", SIGNATURES)
def test_the_same_figure_gives_the_same_bytes(kind):
    found = encode(make_figure(), kind)
    assert re.match(SIGNATURES[kind], found, re.DOTALL)
    assert encode(make_figure(), kind) == found
    other = make_figure()
    other.axes[0].set_ylim(0, 6)
    assert encode(other, kind) != found


class ShakyLayout(ConstrainedLayoutEngine):
    """A layout with other last digits each time, as its solver gives in other processes."""

    def __init__(self, shift):
        super().__init__()
        self.shift = shift

    def execute(self, fig):
        super().execute(fig)
        for axes in fig.axes:
            x, y, width, height = axes.get_position().bounds
            axes._set_position([x + self.shift, y - self.shift, width + self.shift, height])


@pytest.mark.parametrize("kind", SIGNATURES)
def test_the_last_digits_of_the_layout_do_not_matter(kind):
    def make(shift):
        figure = make_figure()
        figure.set_size_inches(6, 3)
        figure.set_layout_engine(ShakyLayout(shift))
        figure.suptitle("title")
        figure.legend(loc="outside right center")
        return encode(figure, kind)

    assert make(0) == make(3e-16) == make(-1e-15)
    assert make(0) != make(1e-2)


def test_a_figure_can_be_encoded_again_and_at_other_sizes():
    figure = make_figure()
    figure.set_size_inches(6, 3)
    figure.set_layout_engine("constrained")
    first = [encode(figure, "svg"), encode(figure, "png", 50), encode(figure, "svg")]
    assert first[0] == first[2]
    assert encode(make_figure(), "svg") != first[0]  # without a layout, axes stay where they are


def test_no_file_says_when_it_was_made():
    assert b"<dc:date>" not in encode(make_figure(), "svg")
    assert b"CreationDate" not in encode(make_figure(), "pdf")


def test_pixels_per_inch_can_be_given():
    sizes = {
        dpi: matplotlib.image.imread(io.BytesIO(encode(make_figure(), "png", dpi)), format="png").shape[:2]
        for dpi in (None, 50)
    }
    assert sizes == {None: (130, 260), 50: (50, 100)}


def test_the_global_settings_are_left_alone():
    before = matplotlib.rcParams["svg.hashsalt"]
    encode(make_figure(), "svg")
    assert matplotlib.rcParams["svg.hashsalt"] == before


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError, match="bmp"):
        encode(make_figure(), "bmp")
