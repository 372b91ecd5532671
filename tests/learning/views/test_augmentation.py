import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.views.augmentation import cropped, cut_out, gains, row_uniforms
from cloome_kedro.learning.views.images import Images

SEEDS = np.random.SeedSequence(0).generate_state(400)


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (400, 5, 12, 12), dtype=np.uint8))


def test_numbers_are_those_of_splitmix64():
    """The outputs of Vigna's splitmix64.c for the seed 1234567."""
    expected = [
        *(6457827717110365317, 3203168211198807973, 9817491932198370423),
        *(4593380528125082431, 16408922859458223821),
    ]
    found = row_uniforms(np.array([1234567, 0], np.uint32), 5)
    np.testing.assert_array_equal(found[0], [(number >> 11) / 2**53 for number in expected])
    assert found.shape == (2, 5)


def test_numbers_are_uniform_and_independent():
    draws = row_uniforms(np.arange(20_000), 6)
    assert ((draws >= 0) & (draws < 1)).all()
    np.testing.assert_allclose(draws.mean(0), 0.5, atol=0.01)
    np.testing.assert_allclose(draws.var(0), 1 / 12, atol=0.002)
    np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(6), atol=0.03)


def turned(images, seeds, flips, quarter_turns):
    return cropped(images, seeds, tuple(images.shape[-2:]), flips=flips, quarter_turns=quarter_turns)


def own_turn(image, flip_horizontal, flip_vertical, quarters):
    """Flips of torchvision's order, then a turn counter-clockwise, one after the other."""
    image = torch.flip(image, [-1]) if flip_horizontal else image
    image = torch.flip(image, [-2]) if flip_vertical else image
    return torch.rot90(image, quarters, dims=(-2, -1))


@pytest.mark.parametrize(("flips", "quarter_turns"), [(True, False), (False, True), (True, True)])
def test_images_are_flipped_then_turned(images, flips, quarter_turns):
    found = turned(images, SEEDS, flips, quarter_turns)
    assert found.is_contiguous()
    draws = row_uniforms(SEEDS, 3)
    chosen = [
        (bool(a < 0.5) and flips, bool(b < 0.5) and flips, int(4 * c) if quarter_turns else 0) for a, b, c in draws
    ]
    assert torch.equal(found, torch.stack([own_turn(x, *kind) for x, kind in zip(images, chosen, strict=True)]))
    # All kinds occur, about equally often.
    counts = np.array([chosen.count(kind) for kind in set(chosen)])
    assert len(counts) == (4 if flips else 1) * (4 if quarter_turns else 1)
    assert counts.min() > 0.4 * len(images) / len(counts)


def test_flips_take_images_that_are_not_square(images):
    wide = images[..., :9, :]
    flipped = turned(wide, SEEDS, True, False)
    assert flipped.shape == wide.shape
    assert torch.equal(flipped.sum((2, 3)), wide.sum((2, 3)))
    with pytest.raises(ValueError, match="quarter_turns needs square images, but these have 9 x 12 pixels"):
        turned(wide, SEEDS, False, True)


def test_nothing_is_copied_where_nothing_is_set(images):
    assert turned(images, SEEDS, False, False) is images


def test_gains_are_symmetric_in_the_logarithm():
    found = np.log(gains(np.arange(5000), 4, 0.3))
    assert found.shape == (5000, 4)
    assert np.abs(found).max() <= 0.3 + 1e-6
    np.testing.assert_allclose(found.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(found.std(0), 0.3 / np.sqrt(3), atol=0.01)
    np.testing.assert_allclose(np.corrcoef(found.T), np.eye(4), atol=0.06)


@pytest.mark.parametrize(("share", "side"), [(0.25, 3), (0.5, 6), (0.01, 1), (0.99, 12)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=["planes", "channels last"])
def test_a_square_is_cut_out_inside_the_image(share, side, layout):
    ones = torch.ones(400, 5, 12, 15).contiguous(memory_format=layout)
    found = cut_out(ones.clone(memory_format=torch.preserve_format), SEEDS, share)
    assert found.is_contiguous(memory_format=layout)
    holes = found == 0
    assert (holes == holes[:, :1]).all(), "the same pixels of all channels"
    rows, columns = holes[:, 0].any(2), holes[:, 0].any(1)
    assert (rows.sum(1) == side).all()
    assert (columns.sum(1) == side).all()
    assert (holes[:, 0].sum((1, 2)) == side * side).all()
    tops, lefts = rows.int().argmax(1), columns.int().argmax(1)
    assert (holes[:, 0] == (rows[:, :, None] & columns[:, None])).all(), "one rectangle"
    assert set(tops.tolist()) == set(range(12 - side + 1))
    assert set(lefts.tolist()) == set(range(15 - side + 1))


def view(**changes):
    numbers = {"mean": (100.0, 90, 80, 70, 60), "std": (10.0, 20, 30, 40, 50)}
    return Images(
        **{"flips": True, "quarter_turns": True, "intensity_jitter": 0.3, "cutout": 0.4, **numbers, **changes}
    )


def test_a_batch_is_cropped_turned_scaled_normalised_and_cut(images):
    """Each step on single images, by the definition."""
    whole = view(crop=8)
    found = whole.augment(images, SEEDS)
    crops = Images(crop=8, mean=(0,) * 5, std=(1,) * 5).augment(images, SEEDS)
    factors = gains(SEEDS, 5, 0.3)
    holes = cut_out(torch.ones(400, 1, 8, 8), SEEDS, 0.4) == 0
    for i in range(0, 400, 37):
        image = turned(crops[i : i + 1], SEEDS[i : i + 1], True, True)[0]
        expected = image.double() * torch.from_numpy(factors[i]).double()[:, None, None]
        mean, std = (torch.tensor(values).double()[:, None, None] for values in (whole.mean, whole.std))
        expected = ((expected - mean) / std).masked_fill(holes[i], 0)
        torch.testing.assert_close(found[i].double(), expected, atol=1e-4, rtol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert not torch.equal(whole(images), found), "evaluation shows the plain centre crop"
    assert torch.equal(whole(images), Images(crop=8, mean=whole.mean, std=whole.std)(images))


@settings(max_examples=30)
@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=6),
    crop=st.sampled_from([None, 8]),
    normalisation=st.sampled_from(["per_channel", "controls"]),
    cuts=st.integers(1, 5),
)
def test_augmentation_depends_on_the_seed_of_the_row_alone(images, seeds, crop, normalisation, cuts):
    """Bit by bit, whatever else is in the batch, and however the batch is divided."""
    whole = view(crop=crop, normalisation=normalisation)
    n, seeds = len(seeds), np.array(seeds, np.uint32)
    context = 20 + torch.arange(n * 10.0).view(n, 2, 5)
    together = whole.augment(images[:n], seeds, context)
    parts = [rows for rows in np.array_split(np.arange(n), cuts) if len(rows)]
    apart = [whole.augment(images[rows], seeds[rows], context[rows]) for rows in parts]
    assert torch.equal(torch.cat(apart), together)
    order = np.arange(n)[::-1].copy()
    assert torch.equal(whole.augment(images[order], seeds[order], context[order]), together[order])


def test_one_augmentation_does_not_change_the_draws_of_others(images):
    off = {"flips": False, "quarter_turns": False, "intensity_jitter": 0.0, "cutout": None}
    only_cut = view(**off | {"cutout": 0.4}, std=(1.0,) * 5, mean=(-1.0,) * 5).augment(images, SEEDS)
    everything = view(std=(1.0,) * 5, mean=(-1.0,) * 5).augment(images, SEEDS)
    assert torch.equal(only_cut == 0, everything == 0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same(images):
    whole = view(crop=8)
    found = whole.augment(images.cuda(), SEEDS)
    assert found.device.type == "cuda"
    torch.testing.assert_close(found.cpu(), whole.augment(images, SEEDS), atol=1e-5, rtol=1e-5)
