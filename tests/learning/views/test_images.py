from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData, Side
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.training_batches import TrainingBatches
from cloome_kedro.learning.views.images import PUBLISHED_STATISTICS, Images, ImageSettings
from cloome_kedro.learning.views.pixel_statistics import channel_statistics
from stored_plates import STORAGE, places, write_plates


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 5, 12, 14), dtype=np.uint8))


def test_published_normalisation(images):
    mean = torch.tensor(PUBLISHED_STATISTICS).view(5, 1, 1)
    torch.testing.assert_close(Images()(images), (images.float() - mean) / mean)


def test_evaluation_takes_the_centre(images):
    plain = Images(crop=8, mean=(0,) * 5, std=(1,) * 5)
    assert torch.equal(plain(images), images[:, :, 2:10, 3:11].float())
    assert torch.equal(plain.centre(images), images[:, :, 2:10, 3:11])


def test_per_image_normalisation(images):
    x = images.double().numpy()
    expected = (x - x.mean((2, 3), keepdims=True)) / (x.std((2, 3), ddof=1, keepdims=True) + 1e-7)
    np.testing.assert_allclose(Images(normalisation="per_image")(images).numpy(), expected, atol=1e-5)
    assert torch.equal(Images(normalisation="per_image")(images * 0), torch.zeros(6, 5, 12, 14))


def test_the_encoder_gets_floats_with_channels_last_in_memory(images):
    for view in (Images(), Images(crop=8), Images(normalisation="per_image")):
        for found in (view(images), view.augment(images, np.arange(6))):
            assert found.dtype == torch.float32
            assert found.is_contiguous(memory_format=torch.channels_last)


def test_random_crops_are_windows_of_their_own(images):
    # A pixel's value tells its place, so a crop tells its corner.
    place = torch.arange(12 * 14, dtype=torch.uint8).view(1, 1, 12, 14).expand(60, 5, 12, 14)
    crops = Images(crop=8, mean=(0,) * 5, std=(1,) * 5).augment(place, np.arange(60))
    corners = crops[:, 0, 0, 0].long()
    top, left = corners // 14, corners % 14
    for crop, y, x in zip(crops, top, left, strict=True):
        assert torch.equal(crop, place[0, :, y : y + 8, x : x + 8].float())
    assert set(top.tolist()) == set(range(5))
    assert set(left.tolist()) == set(range(7))


@pytest.mark.parametrize("scale", [None, (0.5, 0.9)])
def test_augmentation_follows_its_seed_and_leaves_the_global_state_alone(images, scale):
    view = Images(crop=8, resized_crop_scale=scale)
    state = torch.get_rng_state()
    first, again, other = (view.augment(images, np.arange(6) + start) for start in (0, 0, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (6, 5, 8, 8)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("scale", [None, (0.5, 0.9)])
@settings(max_examples=30)
@given(seeds=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=6), global_seed=st.integers(0, 99))
def test_a_crop_depends_on_its_own_seed_alone(images, scale, seeds, global_seed):
    """Whatever other images are in the batch, whatever their seeds are, and whatever was drawn before."""
    view = Images(crop=8, resized_crop_scale=scale)
    together = view.augment(images[: len(seeds)], np.array(seeds, np.uint32))
    with seeded(global_seed):
        apart = [
            view.augment(images[i : i + 1], np.array([seed], np.uint32)) for i, seed in reversed([*enumerate(seeds)])
        ]
    torch.testing.assert_close(torch.cat(apart[::-1]), together)


def test_resized_crops_have_the_areas_that_were_asked_for():
    """Of a ramp along a side, a resized crop shows the part that it covers."""
    ramp = torch.arange(200, dtype=torch.uint8).view(1, 1, 1, 200).expand(40, 5, 200, 200)
    for scale in ((0.04, 0.09), (0.81, 1.0)):
        view = Images(crop=100, resized_crop_scale=scale, mean=(0,) * 5, std=(1,) * 5)
        crops = view.augment(ramp, np.arange(40))
        shares = (crops[:, 0, 0].amax(1) - crops[:, 0, 0].amin(1)) / 200
        # Sides of a crop are the root of its area, times or divided by up to the root of 4 / 3.
        low, high = (side**0.5 for side in scale)
        assert shares.min() > low * 0.75**0.5 - 0.03
        assert shares.max() < high * 0.75**-0.5 + 0.03


def test_whole_fields_are_not_augmented(images):
    assert torch.equal(Images().augment(images, np.arange(6)), Images()(images))


def test_a_crop_larger_than_the_field_is_refused(images):
    for make in (Images(crop=13), lambda batch: Images(crop=13).augment(batch, np.arange(6))):
        with pytest.raises(ValueError, match="crop of 13 pixels is larger than the stored fields of 12 x 14"):
            make(images)
    with pytest.raises(ValueError, match="crop must be at least 1, is 0"):
        ImageSettings(crop=0)


def test_statistics_must_fit_the_channels(images):
    with pytest.raises(ValueError, match="images have 3 channels, but the normalisation has statistics of 5"):
        Images()(images[:, :3])


def test_channel_statistics():
    fields = np.random.default_rng(1).integers(0, 256, (150, 5, 6, 6), dtype=np.uint8)
    fields[:, 4] = 7
    read = lambda i: fields[i]  # noqa: E731
    chosen = np.arange(10, 150)
    mean, std = channel_statistics(read, chosen, seed=0, progress=False)
    np.testing.assert_allclose(mean, fields[10:].mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std[:4], fields[10:, :4].std((0, 2, 3)), rtol=1e-9)
    assert std[4] == 1

    requested = []
    channel_statistics(lambda i: requested.extend(i) or fields[i], chosen, seed=0, at_most=70, progress=False)
    assert len(set(requested)) == 70
    assert set(requested) <= set(chosen)


@pytest.fixture(scope="module")
def plates():
    rng = np.random.default_rng(2)
    return {"P1": rng.integers(0, 256, (4, 5, 12, 14), np.uint8), "P2": rng.integers(0, 99, (3, 5, 12, 14), np.uint8)}


@pytest.fixture
def store(tmp_path, plates):
    return write_plates(tmp_path / "store", plates)


def test_rows_are_the_fields_of_the_store(store, plates):
    table = {"plate_file": ["P2", "P1", "P2"], "row": [2, 0, 0]}
    rows = Images().rows(table, {"plate_store": store})
    assert rows.known.tolist() == [True] * 3
    np.testing.assert_array_equal(rows.read(np.array([2, 0])), plates["P2"][[0, 2]])
    np.testing.assert_array_equal(rows.read(np.array([1])), plates["P1"][:1])


def test_the_identity_of_rows_is_that_of_their_content(store, plates, tmp_path):
    table = places(plates)

    def identity(store=store, **changes):
        return Images().rows({**table, **changes}, {"plate_store": store}).identity

    moved = write_plates(tmp_path / "moved", plates)
    remade = write_plates(tmp_path / "remade", plates, digest="made from others")
    assert identity() == identity(moved)
    others = [
        identity(remade),
        identity(row=[*table["row"][:-1], 0]),
        identity(plate_file=["P1"] * 3 + ["P2"] * 4, row=[0, 1, 2, 0, 0, 1, 2]),
        identity(plate_file=table["plate_file"][:-1], row=table["row"][:-1]),
        identity(plate_file=table["plate_file"][::-1], row=table["row"][::-1]),
    ]
    assert len({identity(), *others}) == 1 + len(others)


def fitted(store, plates, train, seed=0, **changes):
    return ImageSettings(**changes).fit(places(plates), {"plate_store": store}, train, seed, progress=False)


def test_dataset_statistics_are_those_of_the_training_fields(store, plates):
    view = fitted(store, plates, np.array([0, 2, 5]), crop=10, resized_crop_scale=(0.5, 1.0))
    shown = np.stack([plates["P1"][0], plates["P1"][2], plates["P2"][1]])
    np.testing.assert_allclose(view.mean, shown.mean((0, 2, 3)), rtol=1e-9)
    np.testing.assert_allclose(view.std, shown.std((0, 2, 3)), rtol=1e-9)
    assert (view.crop, view.resized_crop_scale, view.normalisation) == (10, (0.5, 1.0), "per_channel")
    assert (view.storage, view.inputs) == (STORAGE, 5)


def test_other_normalisations_learn_nothing_of_the_fields(store, plates):
    published = fitted(store, plates, np.arange(7), normalisation="published")
    assert published.normalisation == "per_channel"
    assert published.mean == published.std == PUBLISHED_STATISTICS
    assert fitted(store, plates, np.arange(7), normalisation="per_image").normalisation == "per_image"


# ---- normalisation by the controls of plates


@pytest.fixture
def statistics():
    """The table `plate_statistics` of two plates, in another order than that of the channels."""
    table = pd.DataFrame({"plate_file": np.repeat(["P2", "P1"], 5), "channel": STORAGE["channels"] * 2})
    table["mean"], table["std"] = np.arange(20.0, 30), np.arange(1.0, 11)
    return table.sample(frac=1, random_state=0)


def fitted_to_controls(store, plates, statistics, **changes):
    sources = {"plate_store": store, "plate_statistics": statistics}
    view = ImageSettings(normalisation="controls", **changes).fit(places(plates), sources, np.arange(7), 0, False)
    return view, view.rows(places(plates), sources)


def test_controls_normalise_each_field_by_its_plate(store, plates, statistics):
    view, rows = fitted_to_controls(store, plates, statistics, crop=8)
    assert (view.normalisation, view.inputs) == ("controls", 5)
    assert (rows.context.shape, rows.context.dtype) == ((7, 2, 5), np.float32)
    positions = np.array([5, 1, 6])  # of P2, P1, P2
    images = np.stack([plates["P2"][1], plates["P1"][1], plates["P2"][2]]).astype(float)
    by_plate = statistics.sort_values("mean").groupby("plate_file")
    mean, std = (
        np.stack([by_plate.get_group(plate)[name] for plate in ("P2", "P1", "P2")])[:, :, None, None]
        for name in ("mean", "std")
    )
    context = torch.from_numpy(rows.context[positions])
    batch = torch.from_numpy(rows.read(positions))
    expected = ((images - mean) / std)[:, :, 2:10, 3:11]
    found = view(batch, context)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert batch.dtype == torch.uint8, "pixels go to the device as they are stored"
    crops = Images(crop=8, mean=(0,) * 5, std=(1,) * 5).augment(batch, np.arange(3))
    np.testing.assert_allclose(
        view.augment(batch, np.arange(3), context).numpy(), (crops.numpy() - mean) / std, rtol=1e-5
    )


def test_a_channel_of_constant_controls_is_only_shifted(images):
    context = torch.zeros(6, 2, 5)
    context[:, 0], context[:, 1, :4] = 50, 2
    found = Images(normalisation="controls")(images, context)
    torch.testing.assert_close(found[:, :4], (images[:, :4].float() - 50) / 2)
    torch.testing.assert_close(found[:, 4], images[:, 4].float() - 50)
    assert torch.equal(Images(mean=(50.0,) * 5, std=(2.0,) * 4 + (0.0,))(images), found)


def test_the_identity_of_rows_covers_the_statistics_of_their_plates(store, plates, statistics):
    def identity(table):
        return fitted_to_controls(store, plates, table)[1].identity

    plain = Images(storage=STORAGE).rows(places(plates), {"plate_store": store}).identity
    other_plate = pd.DataFrame({"plate_file": "P3", "channel": STORAGE["channels"], "mean": 1.0, "std": 1.0})
    assert identity(pd.concat([statistics, other_plate])) == identity(statistics.iloc[::-1]) == identity(statistics)
    changed = [statistics.assign(**{name: statistics[name] + (statistics["mean"] == 29)}) for name in ("mean", "std")]
    assert len({plain, identity(statistics), *map(identity, changed)}) == 4


def test_plates_without_statistics_are_refused(store, plates, statistics):
    for table, missing in (
        (statistics.iloc[:0], "plate P1, channel Mito, .* 2 of 2 plates"),
        (statistics[statistics["plate_file"] == "P1"], "plate P2, channel Mito, .* 1 of 2 plates"),
        (statistics.query("plate_file == 'P1' or channel != 'RNA'"), "plate P2, channel RNA, .* 1 of 2 plates"),
    ):
        with pytest.raises(ValueError, match=f"plate_statistics has no row of {missing} .*run the pipeline ingestion"):
            fitted_to_controls(store, plates, table)
    with pytest.raises(ValueError, match="controls needs the statistics of each image's plate"):
        Images(normalisation="controls")(torch.zeros(1, 5, 4, 4, dtype=torch.uint8))


# ---- augmentation


def test_augmentations_are_in_the_view(store, plates):
    chosen = {"flips": True, "quarter_turns": True, "intensity_jitter": 0.2, "cutout": 0.3}
    view = fitted(store, plates, np.arange(7), crop=8, **chosen)
    assert {name: getattr(view, name) for name in chosen} == chosen


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"intensity_jitter": -0.1}, "intensity_jitter must be at least 0"),
        ({"cutout": 0}, "cutout must be a share .* above 0 and below 1, is 0"),
        ({"cutout": 1.0}, "cutout must be a share"),
        ({"intensity_jitter": 0.1, "normalisation": "per_image"}, "intensity_jitter has no effect"),
    ],
    ids=["jitter", "no cut", "all cut", "per image"],
)
def test_impossible_augmentations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ImageSettings(**changes)


def test_quarter_turns_of_fields_that_are_not_square_are_refused_before_training(store, plates):
    """Fields have 12 x 14 pixels."""
    with pytest.raises(ValueError, match="quarter_turns needs square images, but these have 12 x 14 pixels"):
        fitted(store, plates, np.arange(7), quarter_turns=True)
    assert fitted(store, plates, np.arange(7), quarter_turns=True, crop=12).quarter_turns


def test_the_number_of_channels_is_that_of_the_stored_fields():
    assert Images().inputs == 5
    assert Images(storage=STORAGE | {"channels": ["DNA", "AGP"]}).inputs == 2
    assert Images(mean=(1.0,) * 3, std=(1.0,) * 3).inputs == 3


def test_differences_names_what_is_stored_otherwise(store, plates, tmp_path):
    view = fitted(store, plates, np.arange(7))
    assert view.differences(places(plates), {"plate_store": store}) == []
    other = write_plates(tmp_path / "other", plates, storage=STORAGE | {"scope": "field", "size": [12, 15]})
    assert view.differences(places(plates), {"plate_store": other}) == [
        "scope is field, was plate",
        "size is [12, 15], was [12, 14]",
    ]
    assert replace(view, storage={}).differences(places(plates), {"plate_store": other}) == []


def test_plates_that_are_stored_in_two_ways_are_not_trained_on(store, plates):
    write_plates(store.folder, {"P2": plates["P2"]}, storage=STORAGE | {"scope": "field"})
    with pytest.raises(ValueError, match="run the pipeline ingestion again"):
        fitted(store, plates, np.arange(7))


CHANNELS = STORAGE["channels"]


@pytest.mark.parametrize(
    "trained", [CHANNELS[::-1], [*CHANNELS[1:], CHANNELS[0]], CHANNELS[:4]], ids=["reversed", "rotated", "one less"]
)
def test_fields_with_other_channels_than_in_training_are_refused(store, plates, trained):
    """Also in another order: a model that sees DNA as Mito would embed without a word."""
    assert len(Images(storage=STORAGE).rows(places(plates), {"plate_store": store}).known)
    with pytest.raises(
        ValueError, match=r"the model was trained on the channels .*, but the fields are stored as Mito, "
    ):
        Images(storage=STORAGE | {"channels": trained}).rows(places(plates), {"plate_store": store})


# ---- windows: only the part of a field that training uses is read


@pytest.mark.parametrize("several", [1, 3], ids=["one field", "three fields"])
@pytest.mark.parametrize("changes", [{"crop": 8}, {"crop": 8, "resized_crop_scale": (0.5, 1.0)}, {}], ids=str)
def test_windows_give_the_inputs_of_whole_fields(store, plates, changes, several):
    """Bit by bit, with all augmentations; and what is read is not larger than what is used."""
    view = Images(
        mean=(80.0,) * 5, std=(50.0,) * 5, flips=True, quarter_turns="crop" in changes, intensity_jitter=0.2, **changes
    )
    table = places(plates)
    rows = view.rows(table, {"plate_store": store})
    n = len(table["row"])
    data = PairData(Side(view, rows), None, np.arange(n), np.arange(2), np.arange(n), np.arange(n).astype(str))
    batches = TrainingBatches(data, FitConfig(batch_size=4, micro_batch_size=2), seed=3)
    batch = np.random.default_rng(0).integers(0, n, (4, several) if several > 1 else 4)
    read, whole = batches.load(5, batch), batches.read(batch)
    assert whole["field"][0].shape[-3:] == rows.windows.shape
    assert read["field"][0].shape[-2:] == ((8, 8) if list(changes) == ["crop"] else rows.windows.shape[1:])
    for found, expected in zip(
        *(batches.micro_batches(5, batch, arrays, torch.device("cpu")) for arrays in (read, whole)), strict=True
    ):
        assert torch.equal(found()["field"], expected()["field"])


def test_places_are_the_order_of_the_files(store, plates):
    table = places(plates)
    rows = Images(crop=8).rows(table, {"plate_store": store})
    order = np.argsort(rows.place)
    files = [(str(table["plate_file"][i]), int(table["row"][i])) for i in order]
    assert files == sorted(files)
    assert sorted(rows.place) == list(range(len(files)))
