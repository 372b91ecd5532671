import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from cloome_kedro.imaging.corruptions import (
    CORRUPTIONS,
    corrupt,
    corruption,
    draw_settings,
    draw_table,
    field_seed,
    find_corruptions,
)
from cloome_kedro.learning.views.images import ImageSettings
from cloome_kedro.registry import load_modules
from registries import restored

NAMES = ["random_flip", "small_rotation", "random_flip_small_rotation", "large_rotation", "gaussian_blur"]
IDS = [f"screen/plate/A{i:02d}/1" for i in range(1, 25)]


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(1, 256, (24, 5, 20, 28), dtype=np.uint8))


@pytest.fixture
def registry():
    """The registry of corruptions, to which a test can add its own."""
    with restored(CORRUPTIONS) as registry:
        yield registry


def settings_of(name, ids=IDS, seed=0):
    (found,) = find_corruptions([name])
    return found, [draw_settings(found, field_seed(seed, name, field_id)) for field_id in ids]


def square(side):
    return lambda images: v2.functional.center_crop(images, [side, side])


def test_flips_are_numpys(images):
    found, settings = settings_of("random_flip")
    changed, black = corrupt(found, images, settings)
    for before, after, own in zip(images.numpy(), changed.numpy(), settings, strict=True):
        before = before[..., ::-1] if own["flip_horizontal"] else before
        before = before[..., ::-1, :] if own["flip_vertical"] else before
        np.testing.assert_array_equal(after, before)
    assert {tuple(own.values()) for own in settings} == {(a, b) for a in (False, True) for b in (False, True)}
    assert not black.any()


@pytest.mark.parametrize(("name", "largest"), [("small_rotation", 10), ("large_rotation", 180)])
def test_rotations_are_torchvisions(images, name, largest):
    """The published code's: `RandomRotation`, with its defaults of nearest pixel and black corners."""
    found, settings = settings_of(name)
    changed, _ = corrupt(found, images, settings)
    for before, after, own in zip(images, changed, settings, strict=True):
        turn = v2.RandomRotation((own["angle"], own["angle"]))
        assert torch.equal(after, turn(before))
    angles = np.array([own["angle"] for own in settings])
    assert (np.abs(angles) <= largest).all()
    assert np.abs(angles).max() > largest / 2
    assert angles.min() < 0 < angles.max()


def test_a_right_angle_turns_counter_clockwise(images):
    found, _ = settings_of("large_rotation")
    field = images[:1, :, :, :20]
    changed, black = corrupt(found, field, [{"angle": 90.0}])
    assert torch.equal(changed, torch.rot90(field, dims=(-2, -1)))
    assert black.tolist() == [0]


def test_the_combination_flips_then_turns(images):
    combined, settings = settings_of("random_flip_small_rotation")
    flip, turn = find_corruptions(["random_flip", "small_rotation"])
    flips = [{key: value for key, value in own.items() if key != "angle"} for own in settings]
    expected, _ = corrupt(flip, images, flips)
    expected, black = corrupt(turn, expected, [{"angle": own["angle"]} for own in settings])
    changed, found = corrupt(combined, images, settings)
    assert torch.equal(changed, expected)
    np.testing.assert_array_equal(found, black)


@pytest.mark.parametrize("stage", ["field", "crop"])
@pytest.mark.parametrize("name", NAMES)
def test_a_field_alone_is_as_among_others_in_any_order(images, name, stage):
    found, settings = settings_of(name)
    changed, black = corrupt(found, images, settings, stage, square(16))
    order = np.random.default_rng(1).permutation(len(images))
    shuffled, of_shuffled = corrupt(found, images[order], [settings[i] for i in order], stage, square(16))
    assert torch.equal(shuffled, changed[order])
    np.testing.assert_array_equal(of_shuffled, black[order])
    # from what the table keeps alone: the field's own seed, or its settings as JSON
    own = draw_settings(found, field_seed(0, name, IDS[7]))
    assert json.loads(json.dumps(own)) == settings[7]
    alone, share = corrupt(found, images[7:8], [own], stage, square(16))
    assert torch.equal(alone[0], changed[7])
    assert share[0] == black[7]


def test_seeds_differ_by_run_corruption_and_field():
    seeds = {field_seed(seed, name, field_id) for seed in (0, 1) for name in NAMES for field_id in IDS}
    assert len(seeds) == 2 * len(NAMES) * len(IDS)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert field_seed(0, "random_flip", "screen/plate/A01/1") == 5249918242287187515, "on every machine the same"


@pytest.mark.parametrize("stage", ["field", "crop"])
def test_black_is_what_of_the_encoders_input_has_no_image(images, stage):
    """All pixels of these images are above 0, so black ones are filled ones."""
    found, settings = settings_of("large_rotation")
    changed, black = corrupt(found, images, settings, stage, square(20))
    np.testing.assert_allclose(black, (changed == 0).all(1).float().mean((1, 2)).numpy(), atol=1e-7)
    assert black.max() > 0.05


@pytest.mark.parametrize("angle", [1.0, 10.0, 45.0, 90.0, 137.0, 180.0])
def test_a_small_centred_crop_of_the_published_field_has_no_wedge(angle):
    """The half-diagonal of 320 px is 226 px, less than half the field's height, 260; that of 520 px is 368."""
    found, _ = settings_of("large_rotation")
    field = torch.full((1, 1, 520, 696), 200, dtype=torch.uint8)
    _, small = corrupt(found, field, [{"angle": angle}], "field", square(320))
    _, large = corrupt(found, field, [{"angle": angle}], "field", square(520))
    assert small == 0
    assert (large > 0) == (angle not in (90, 180))
    _, after_the_crop = corrupt(found, field, [{"angle": angle}], "crop", square(320))
    assert (after_the_crop > 0) == (angle not in (90, 180))


def test_blur_smooths_and_keeps_brightness(images):
    found, settings = settings_of("gaussian_blur")
    changed, black = corrupt(found, images, settings)
    assert (changed.float().std((2, 3)) < images.float().std((2, 3))).all()
    torch.testing.assert_close(changed.float().mean((2, 3)), images.float().mean((2, 3)), rtol=0.08, atol=0)
    assert not black.any()
    flat = torch.full((1, 5, 20, 28), 90, dtype=torch.uint8)
    assert torch.equal(corrupt(found, flat, [{"sigma": 2.0}])[0], flat)


def test_a_users_module_registers_its_own(registry, tmp_path, monkeypatch, images):
    (tmp_path / "my_corruptions.py").write_text(
        "from cloome_kedro.imaging.corruptions import corruption, gaussian_blur\n\n"
        "@corruption(draw=lambda generator: {'sigma': generator.uniform(3, 4)}, augments=['blur'])\n"
        "def strong_blur(image, sigma):\n    return gaussian_blur(image, sigma)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    load_modules(["my_corruptions"])
    flip, mine = find_corruptions(["random_flip", "strong_blur"])
    own = draw_settings(mine, 5)
    assert 3 <= own["sigma"] <= 4
    changed, _ = corrupt(mine, images[:1], [own])
    assert changed.float().std() < images[:1].float().std() / 3
    assert mine.source.startswith("@corruption(draw=lambda generator")
    assert mine.seen_in_training({"blur": True}) == "yes"
    assert mine.seen_in_training({"blur": None, "flips": True}) == "no"
    assert flip.seen_in_training({"blur": True, "flips": False}) == "no"


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ({"flips": False, "quarter_turns": False, "resized_crop_scale": [0.5, 1.0]}, ["no", "no", "no", "no", "no"]),
        ({"flips": True}, ["yes", "no", "partly", "partly", "no"]),
        ({"quarter_turns": True}, ["partly", "no", "partly", "partly", "no"]),
        ({"flips": True, "quarter_turns": True}, ["yes", "no", "partly", "partly", "no"]),
        ({"intensity_jitter": 0.2, "cutout": 0.3}, ["no", "no", "no", "no", "no"]),
    ],
    ids=["crops", "flips", "quarter turns", "both", "intensities"],
)
def test_augmentations_of_training_are_named(view, expected):
    assert [corruption.seen_in_training(view) for corruption in find_corruptions(NAMES)] == expected


def test_a_corruption_of_two_parts_is_seen_if_both_are(registry):
    both = corruption(draw=lambda generator: {}, augments=["a", "b"], partly=["c"])
    both(lambda image: image)
    entry = CORRUPTIONS["<lambda>"]
    found = [entry.seen_in_training(dict.fromkeys(names, True)) for names in ("", "a", "b", "c", "ab", "bc", "abc")]
    assert found == ["no", "partly", "partly", "partly", "yes", "partly", "yes"]


def test_augmentations_are_settings_of_the_view():
    names = {field.name for field in dataclasses.fields(ImageSettings)}
    for entry in find_corruptions(NAMES):
        assert {*entry.augments, *entry.partly} <= names


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"no corruption 'smal_rotation'; the nearest are: small_rotation"):
        find_corruptions(["smal_rotation"])
    with pytest.raises(ValueError, match="no corruption 'xyz'; the nearest are: " + ", ".join(NAMES)):
        find_corruptions(["xyz"])


def test_the_table_of_settings_has_one_row_per_field():
    (found,) = find_corruptions(["random_flip_small_rotation"])
    table = draw_table(found, IDS, 3)
    assert table["field_id"].tolist() == IDS
    assert set(table["corruption"]) == {found.name}
    assert table["seed"].tolist() == [field_seed(3, found.name, field_id) for field_id in IDS]
    drawn = [draw_settings(found, seed) for seed in table["seed"]]
    assert [json.loads(text) for text in table["settings"]] == drawn
    shuffled = draw_table(found, IDS[::-1], 3)
    assert shuffled[::-1].reset_index(drop=True).equals(table)


def test_corruptions_that_break_the_rules_are_refused(registry, images):
    @corruption(draw=lambda generator: {})
    def cut(image):
        return image[:, 1:]

    @corruption(draw=lambda generator: {"gain": np.float32(1)})
    def gain(image, gain):
        return image

    with pytest.raises(ValueError, match=re.escape("cut changes torch.uint8 (5, 20, 28) to torch.uint8 (5, 19, 28)")):
        corrupt(*find_corruptions(["cut"]), images[:1], [{}])
    with pytest.raises(TypeError, match=r"corruption gain: `draw` returns .* not JSON"):
        draw_settings(*find_corruptions(["gain"]), 0)

    def random_flip(image):
        return image

    message = rf"corruption random_flip of {__name__} is already defined in .*\.corruptions: give it another name"
    with pytest.raises(ValueError, match=message):
        corruption(draw=lambda generator: {})(random_flip)
