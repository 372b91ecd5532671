"""Figures of plates: what is written in them, and whether it is inside the figure."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from cloome_kedro.evaluation.plate_quality import plate_deviations, position_means
from cloome_kedro.reporting import plate_figures
from cloome_kedro.reporting.style import Look


def wells_of(plates: int) -> pd.DataFrame:
    """Wells of plates with 96 wells: cell counts and the intensities of five channels."""
    generator = np.random.default_rng(0)
    rows, columns = (values.ravel() + 1 for values in np.mgrid[:8, :12])
    tables = [pd.DataFrame({"plate": f"plate_{i}", "row": rows, "column": columns}) for i in range(plates)]
    wells = pd.concat(tables, ignore_index=True)
    wells = wells.assign(control=wells["column"] == 12, edge=wells["row"].isin([1, 8]) | wells["column"].isin([1, 12]))
    for name in plate_figures.STATISTICS:
        wells[name] = generator.uniform(0, 1e-4 if name == "saturated" else 100, len(wells))
    return wells


@pytest.mark.parametrize("plates", [1, 2, 4])
def test_heat_maps_of_plates_cut_nothing_off(plates):
    wells = wells_of(plates)
    figure = plate_figures.plate_maps(wells, dict.fromkeys(wells["plate"].unique(), ""), Look(title="screen"))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    tight = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert tight.x0 > -0.01
    assert tight.y0 > -0.01
    assert tight.x1 < width + 0.01
    assert tight.y1 < height + 0.01
    assert width > 9, "a page makes a figure as wide as itself, so a narrow one would be blown up"
    texts = {axis.get_title() for axis in figure.axes} | {axis.get_ylabel() for axis in figure.axes}
    assert set(plate_figures.STATISTICS.values()) <= texts
    assert ("plate_0" in texts) == (plates > 1)
    assert ("plate_0" in figure.get_suptitle()) == (plates == 1)


@pytest.mark.parametrize(("plates", "unit"), [(4, "standard deviations"), (5, "robust standard deviations")])
def test_plates_are_compared_in_the_unit_that_is_written(plates, unit):
    deviations = plate_deviations(wells_of(plates), list(plate_figures.STATISTICS))
    figure = plate_figures.plate_summary(deviations, Look())
    assert figure.axes[-1].get_ylabel() == unit


def test_columns_of_plates_are_whole_numbers():
    wells = wells_of(2).query("column in [1, 2, 3]").replace({"column": {2: 13, 3: 18}})
    figure = plate_figures.position_figure(position_means(wells, list(plate_figures.STATISTICS)), Look())
    FigureCanvasAgg(figure).draw()  # the number of ticks depends on the size of the axes
    for axis in figure.axes[1::2]:
        shown = [tick for tick in axis.get_xticks() if axis.get_xlim()[0] <= tick <= axis.get_xlim()[1]]
        assert shown
        assert all(tick == int(tick) and 1 <= tick <= 18 for tick in shown)


def test_an_interval_between_single_wells_is_drawn():
    """A band needs two neighbours with intervals. Here only the second row has two wells."""
    wells = wells_of(1).query("(row == 2 and column in [1, 2]) or (row in [1, 3] and column == 1)")
    means = position_means(wells, ["cells"])
    rows = plate_figures.position_figure(means, Look()).axes[0]
    (lines,) = (part for part in rows.collections if hasattr(part, "get_segments"))
    drawn = [segment for segment in lines.get_segments() if len(segment)]
    ((low, high),) = means.query("axis == 'row' and position == 2")[["low", "high"]].to_numpy()
    assert len(drawn) == 1
    assert drawn[0].tolist() == [[2, low], [2, high]]


def test_marks_of_a_single_plate_are_beside_each_other():
    statistics = pd.DataFrame({"plate": ["plate_0"], "channel": ["DNA"], "mean": [50.0], "basis": ["controls"]})
    figure = plate_figures.controls_over_plates(wells_of(1), statistics, Look())
    for axis in figure.axes[: len(plate_figures.STATISTICS)]:
        assert axis.get_xlim() == (-0.5, 0.5)
