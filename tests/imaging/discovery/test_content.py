"""What a few images show."""

from itertools import permutations

import numpy as np
import pytest

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.discovery.content import ORDERS, bit_depth, nucleus_diameter, propose_channels
from cloome_kedro.imaging.images import read_image
from drawn_cells import draw_field


def fields(order, number=3, prefix="", **drawing):
    drawn = [draw_field(seed, **drawing) for seed in range(number)]
    return [{f"{prefix}{i}": field[channel] for i, channel in enumerate(order, 1)} for field in drawn]


@pytest.mark.parametrize("order", ORDERS.values(), ids=[order[0] for order in ORDERS.values()])
@pytest.mark.parametrize("prefix", ["", "w"], ids=["number", "w"])
def test_known_orders(order, prefix):
    proposal = propose_channels(fields(order, prefix=prefix))
    assert proposal.channels == {f"{prefix}{i}": channel for i, channel in enumerate(order, 1)}
    assert not proposal.doubt


@pytest.mark.parametrize("order", list(permutations(CHANNELS))[5::23], ids="-".join)
def test_nuclei_are_found_in_any_order(order):
    channels = propose_channels(fields(order)).channels
    assert channels[str(order.index("DNA") + 1)] == "DNA"
    assert sorted(channels.values()) == sorted(CHANNELS)


def test_an_unknown_order_is_a_guess_and_says_so():
    order = ("AGP", "DNA", "Mito", "ER", "RNA")
    proposal = propose_channels(fields(order))
    assert proposal.channels == {str(i): channel for i, channel in enumerate(order, 1)}
    assert proposal.reason.startswith("guessed from the images")
    assert proposal.doubt


def test_rna_and_er_that_are_exchanged_are_seen():
    order = ("DNA", "RNA", "ER", "AGP", "Mito")
    proposal = propose_channels(fields(order))
    assert proposal.channels == {str(i): channel for i, channel in enumerate(order, 1)}
    assert "the other way round" in proposal.reason
    assert proposal.doubt


def test_bright_field_after_the_five_is_left_out():
    given = [field | {"6": np.full((128, 128), 900, np.uint16), "10": field["1"]} for field in fields(CHANNELS)]
    assert set(propose_channels(given).channels) == {"1", "2", "3", "4", "5"}


def test_four_channels_are_not_enough():
    with pytest.raises(ValueError, match="channels 1, 2, 3, 4; all five channels are needed"):
        propose_channels([{str(i): np.zeros((8, 8), np.uint16) for i in range(1, 5)}])


@pytest.mark.parametrize(
    ("dtype", "largest", "depth"),
    [(np.uint8, 255, 8), (np.uint16, 4095, 12), (np.uint16, 3000, 12), (np.uint16, 900, 16), (np.uint16, 4096, 16)],
)
def test_bit_depth(dtype, largest, depth):
    found, reason = bit_depth([np.zeros((4, 4), dtype), np.full((4, 4), largest, dtype)])
    assert found == depth
    assert "bits" in reason


def test_images_of_other_types_are_refused():
    with pytest.raises(ValueError, match="float32"):
        bit_depth([np.zeros((4, 4), np.float32)])


@pytest.mark.parametrize("radius", [8, 11, 15])
def test_diameter_of_drawn_nuclei(radius):
    images = [draw_field(seed, size=320, radius=radius)["DNA"] for seed in range(2)]
    assert nucleus_diameter(images) == pytest.approx(2 * radius, rel=0.2)


def test_large_images_are_reduced_for_the_measurement():
    image = draw_field(1, size=200, radius=7)["DNA"]
    large = np.kron(image, np.ones((6, 6), np.uint16))
    assert nucleus_diameter([large]) == pytest.approx(6 * 14, rel=0.2)


def test_there_may_be_no_nuclei():
    assert nucleus_diameter([np.zeros((64, 64), np.uint16)]) is None


def test_real_fields(cloome_data):
    """Both orders, of screens with other cells, microscopes and bit depths."""
    seen = {}
    for name, pattern in (("jump", "jump_fields/*/*-ch1*"), ("lincs", "lincs_fields/SQ00015198/*f01*-ch1*")):
        firsts = sorted(cloome_data.glob(pattern))[:4]
        given = [{str(i): read_image(str(path).replace("-ch1", f"-ch{i}")) for i in range(1, 6)} for path in firsts]
        proposal = propose_channels(given)
        assert not proposal.doubt
        dna = next(name for name, channel in proposal.channels.items() if channel == "DNA")
        seen[name] = (
            tuple(proposal.channels.values()),
            bit_depth([image for field in given for image in field.values()])[0],
            nucleus_diameter([field[dna] for field in given]),
        )
    assert [seen[name][:2] for name in ("jump", "lincs")] == [
        (("Mito", "AGP", "RNA", "ER", "DNA"), 16),
        (("DNA", "ER", "RNA", "AGP", "Mito"), 8),
    ]
    assert 30 < seen["jump"][2] < 45
    assert 25 < seen["lincs"][2] < 35
