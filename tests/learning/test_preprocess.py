import numpy as np
import pytest
import torch

from cloome_kedro.learning.preprocess import PUBLISHED_STATISTICS, Preprocess, channel_statistics


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 5, 12, 14), dtype=np.uint8))


def test_published_normalisation(images):
    mean = torch.tensor(PUBLISHED_STATISTICS).view(5, 1, 1)
    torch.testing.assert_close(Preprocess()(images), (images.float() - mean) / mean)


def test_evaluation_takes_the_centre(images):
    plain = Preprocess(crop=8, mean=(0,) * 5, std=(1,) * 5)
    assert torch.equal(plain(images), images[:, :, 2:10, 3:11].float())


def test_per_image_normalisation(images):
    x = images.double().numpy()
    expected = (x - x.mean((2, 3), keepdims=True)) / (x.std((2, 3), ddof=1, keepdims=True) + 1e-7)
    np.testing.assert_allclose(Preprocess(normalisation="per_image")(images).numpy(), expected, atol=1e-5)
    assert torch.equal(Preprocess(normalisation="per_image")(images * 0), torch.zeros(6, 5, 12, 14))


def test_random_crops_are_windows_of_their_own(images):
    # A pixel's value tells its place, so a crop tells its corner.
    place = torch.arange(12 * 14, dtype=torch.uint8).view(1, 1, 12, 14).expand(60, 5, 12, 14)
    crops = Preprocess(crop=8, mean=(0,) * 5, std=(1,) * 5).augment(place, range(60))
    corners = crops[:, 0, 0, 0].long()
    top, left = corners // 14, corners % 14
    for crop, y, x in zip(crops, top, left, strict=True):
        assert torch.equal(crop, place[0, :, y : y + 8, x : x + 8].float())
    assert set(top.tolist()) == set(range(5))
    assert set(left.tolist()) == set(range(7))


@pytest.mark.parametrize("scale", [None, (0.5, 0.9)])
def test_augmentation_follows_its_seed_and_leaves_the_global_state_alone(images, scale):
    preprocess = Preprocess(crop=8, resized_crop_scale=scale)
    state = torch.get_rng_state()
    first, again, other = (preprocess.augment(images, seeds) for seeds in (range(6), range(6), range(6, 12)))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    torch.testing.assert_close(preprocess.augment(images[2:4], range(2, 4)), first[2:4])
    assert first.shape == (6, 5, 8, 8)
    assert torch.equal(torch.get_rng_state(), state)


def test_whole_fields_are_not_augmented(images):
    assert torch.equal(Preprocess().augment(images, range(6)), Preprocess()(images))


def test_a_crop_larger_than_the_field_is_refused(images):
    with pytest.raises(ValueError, match="13 px does not fit stored fields of 12 x 14"):
        Preprocess(crop=13)(images)


def test_statistics_must_fit_the_channels(images):
    with pytest.raises(ValueError, match="3 channels"):
        Preprocess()(images[:, :3])


def test_channel_statistics():
    fields = np.random.default_rng(1).integers(0, 256, (150, 5, 6, 6), dtype=np.uint8)
    fields[:, 4] = 7
    read = lambda i: fields[i]  # noqa: E731
    chosen = np.arange(10, 150)
    mean, std = channel_statistics(read, chosen, seed=0)
    np.testing.assert_allclose(mean, fields[10:].mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std[:4], fields[10:, :4].std((0, 2, 3)), rtol=1e-9)
    assert std[4] == 1

    requested = []
    channel_statistics(lambda i: requested.extend(i) or fields[i], chosen, seed=0, at_most=70)
    assert len(set(requested)) == 70
    assert set(requested) <= set(chosen)
