import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cloome_kedro.imaging.intensity import to_uint8
from cloome_kedro.imaging.nuclei import segment_nuclei
from cloome_kedro.imaging.readers import read_image
from planted_fields import DNA, disc, grid, planted_field


@pytest.mark.parametrize("radius", [3, 5, 14])
def test_planted_discs_are_found(radius):
    shape = (26 * radius, 22 * radius)
    centres = grid(12, shape, margin=3 * radius, step=5 * radius)
    dna = planted_field(centres, radius, shape=shape)[DNA]
    labels = segment_nuclei(dna, 2 * radius)
    assert labels.dtype == np.int32
    assert labels.max() == len(centres) == 12
    for centre in centres:
        planted = disc(shape, centre, radius)
        found = labels == labels[centre]
        assert (planted & found).sum() / (planted | found).sum() > 0.75, "outlines are less than a pixel off"
        assert found[planted].mean() > 0.97


def test_dim_nuclei_are_found_beside_bright_ones():
    dna = planted_field(grid(3), level=250)[DNA]
    dim = planted_field(grid(9)[3:], level=60)[DNA]
    assert segment_nuclei(np.maximum(dna, dim), 10).max() == 9


def test_touching_nuclei_are_parted():
    dna = planted_field([(30, 20), (30, 32), (30, 44), (18, 32)], radius=6)[DNA]
    labels = segment_nuclei(dna, 12)
    assert labels.max() == 4
    assert len({labels[30, 20], labels[30, 32], labels[30, 44], labels[18, 32]}) == 4


def test_haze_and_debris_are_none():
    shape = (64, 64)
    haze = 60 * np.exp(-((np.hypot(*(np.mgrid[:64, :64] - 32)) / 20) ** 2))
    dna = planted_field(grid(4, step=30, margin=16), level=220)[DNA] + haze.astype(np.uint8)
    dna[disc(shape, (32, 32), 1)] = 255
    labels = segment_nuclei(dna, 10)
    assert labels.max() == 4
    assert labels[32, 32] == 0


@pytest.mark.parametrize("level", [0, 7, 255])
def test_a_constant_field_has_none(level):
    assert not segment_nuclei(np.full((40, 50), level, np.uint8), 9, 0).any()


def test_an_empty_field_has_none():
    assert not segment_nuclei(planted_field([], noise=4)[DNA], 9).any()
    assert segment_nuclei(planted_field(grid(4), level=27)[DNA], 10, minimum_contrast=10).max() == 0
    assert segment_nuclei(planted_field(grid(4), level=35)[DNA], 10, minimum_contrast=3).max() >= 4


@settings(max_examples=30)
@given(arrays(np.uint8, (24, 31)), st.floats(3, 12))
def test_labels_are_1_to_n_and_no_nucleus_is_too_small(dna, diameter):
    labels = segment_nuclei(dna, diameter, 0)
    areas = np.bincount(labels.ravel())[1:]
    assert labels.shape == dna.shape
    assert (areas >= np.pi * diameter**2 / 16).all()


def test_a_real_field(cloome_data):
    dna, _ = to_uint8(read_image(str(cloome_data / "cloome_field/Hoechst.tif")))
    areas = np.bincount(segment_nuclei(dna, 28).ravel())[1:]
    assert 125 < len(areas) < 155, "about 140 are seen by eye"
    assert 24 < np.median(2 * np.sqrt(areas / np.pi)) < 33
