"""Five-channel fields as pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cloome_kedro.reporting.montage import (
    COLOURS,
    composite,
    display_limits,
    field_reader,
    panels,
    sample_panels,
    shrink,
)
from synthetic_study import Store, make_study

FULL = np.array([[0.0, 255.0]] * 5)


@pytest.mark.parametrize(("channel", "name"), list(enumerate(COLOURS)))
def test_one_full_channel_has_its_colour(channel, name):
    field = np.zeros((1, 5, 4, 4), np.uint8)
    field[0, channel] = 255
    expected = np.round(255 * np.array(COLOURS[name]))
    np.testing.assert_array_equal(composite(field, FULL)[0, 2, 2], expected)


def test_black_stays_black_and_two_channels_screen():
    field = np.zeros((1, 5, 2, 2), np.uint8)
    assert not composite(field).any()
    field[0, 0, 0, 0] = field[0, 4, 0, 0] = 255
    mito, dna = np.array(COLOURS["Mito"]), np.array(COLOURS["DNA"])
    np.testing.assert_allclose(composite(field, FULL)[0, 0, 0] / 255, 1 - (1 - mito) * (1 - dna), atol=1 / 255)


@settings(max_examples=30)
@given(arrays(np.uint8, (2, 5, 3, 4)), st.integers(0, 4))
def test_brighter_never_gets_darker(fields, channel):
    brighter = fields.copy()
    brighter[:, channel] = 255
    assert (composite(brighter, FULL).astype(int) >= composite(fields, FULL)).all()


def test_limits_are_shared_and_span_at_least_one_level():
    fields = np.zeros((2, 5, 10, 10), np.uint8)
    fields[1, 0] = 200
    limits = display_limits(fields)
    assert limits.shape == (5, 2)
    assert limits[0].tolist() == [0, 200]
    assert (limits[:, 1] > limits[:, 0]).all()


def test_shrinking_averages_blocks():
    fields = np.random.default_rng(0).integers(0, 255, (2, 5, 21, 30), dtype=np.uint8)
    assert shrink(fields, 30) is fields
    small = shrink(fields, 10)
    assert small.shape == (2, 5, 7, 10)
    assert small[1, 4, 6, 9] == np.round(fields[1, 4, 18:21, 27:30].mean())


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"Mito, ER, RNA, AGP, DNA; got \(5, 8, 8\)"):
        composite(np.zeros((5, 8, 8), np.uint8))


def test_panels_show_every_channel_of_every_field():
    fields = np.random.default_rng(0).integers(0, 255, (2, 5, 8, 12), dtype=np.uint8)
    figure = panels(fields, ["a", "b"], "simulated data")
    assert len(figure.axes) == 12
    assert [axis.get_title() for axis in figure.axes[1:6]] == list(COLOURS)
    low, high = display_limits(fields)[3]
    drawn = figure.axes[6 + 4].images[0].get_array()
    np.testing.assert_allclose(drawn, np.clip((fields[1, 3] - low) / (high - low), 0, 1), atol=1e-6)
    assert "simulated data" in [text.get_text() for text in figure.texts]


def test_reader_keeps_the_order_asked_for():
    study = make_study()
    read = field_reader(study["plate_store"], study["fields"])
    wanted = study["fields"].iloc[[70, 3]]
    for image, row in zip(read(wanted["field_id"]), wanted.itertuples(), strict=True):
        np.testing.assert_array_equal(image, Store().image(row.plate_file, row.row))


@pytest.mark.parametrize("controls", [True, False])
def test_sample_has_one_control_and_different_compounds(controls):
    study = make_study()
    fields = study["fields"] if controls else study["fields"][~study["fields"]["control"]]
    names = study["pairs"].merge(study["compounds"], on="inchikey").set_index("field_id")["name"]
    figure = sample_panels(fields, field_reader(study["plate_store"], fields), names, seed=3)
    labels = [axis.get_title(loc="left").split(" · ")[0] for axis in figure.axes[::6]]
    assert labels.count("control") == controls
    assert len(set(labels)) == 4
    assert all(label == "control" or label.startswith("compound ") for label in labels)
