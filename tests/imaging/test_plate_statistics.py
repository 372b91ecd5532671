import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from cloome_kedro import schemas
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.images import statistics
from cloome_kedro.imaging.plate_statistics import (
    checked_statistics,
    plate_statistics,
    robust_statistics,
    statistics_of_fields,
)


def median_of_pixels(images):
    """Mean and deviation by the definition, from the pixels (fields, channels, H, W) themselves."""
    x = images.astype(float)
    mean = np.median(x.mean((2, 3)), axis=0)
    moments = ((x - mean[:, None, None]) ** 2).mean((2, 3))
    return mean, np.sqrt(np.median(moments, axis=0))


def make_images(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, rng.integers(20, 256, (n, 5, 1, 1)), (n, 5, 6, 7)).astype(np.uint8)


def fields_of(images, plate="P1", control=True, sites=1):
    """Rows of the table `fields` that the statistics read."""
    wells = [f"A{1 + number // sites:02d}" for number in range(len(images))]
    table = pd.DataFrame({"plate_file": plate, "well": wells, "control": control})
    for name in ("mean", "std"):
        values = np.stack([statistics(image)[name] for image in images])
        table[[f"{name}_{channel}" for channel in CHANNELS]] = values
    return table


def values(table, plate="P1"):
    rows = table[table["plate_file"] == plate].set_index("channel").loc[list(CHANNELS)]
    return rows["mean"].to_numpy(), rows["std"].to_numpy()


@pytest.mark.parametrize("n", [1, 4, 5])
def test_statistics_are_medians_over_the_pixels_of_fields(n):
    images = make_images(n)
    expected = median_of_pixels(images)
    np.testing.assert_allclose(values(plate_statistics(fields_of(images), 1)), expected, rtol=1e-12)
    read = lambda rows: images[rows]  # noqa: E731
    np.testing.assert_allclose(statistics_of_fields(read, n, batch_size=2), expected, rtol=1e-6)


def test_equal_fields_have_the_statistics_of_all_their_pixels():
    images = np.concatenate([make_images(1)] * 3)
    mean, std = values(plate_statistics(fields_of(images), 3))
    np.testing.assert_allclose(mean, images.mean((0, 2, 3)))
    np.testing.assert_allclose(std, images.std((0, 2, 3)))


@settings(max_examples=50)
@given(
    st_numpy.arrays(float, (7, 2, 3), elements=st.floats(0, 255, width=32)),
    st_numpy.arrays(float, (2, 2, 3), elements=st.floats(0, 255, width=32)),
)
def test_a_minority_of_outliers_stays_within_the_other_fields(inliers, outliers):
    """Medians of 7 good and 2 bad fields are within the range of the good ones; the order of fields does not matter."""
    both = np.concatenate([inliers, outliers])
    mean, std = robust_statistics(both[:, 0], both[:, 1])
    assert ((inliers[:, 0].min(0) <= mean) & (mean <= inliers[:, 0].max(0))).all()
    moments = np.sqrt(inliers[:, 1] ** 2 + (inliers[:, 0] - mean) ** 2)
    assert ((moments.min(0) <= std + 1e-9) & (std <= moments.max(0) + 1e-9)).all()
    np.testing.assert_array_equal(robust_statistics(both[::-1, 0], both[::-1, 1]), (mean, std))


def test_only_controls_count_where_there_are_enough(caplog):
    controls, treated = make_images(4, 1), make_images(8, 2)
    fields = pd.concat(
        [
            fields_of(controls, "P1", sites=2),
            fields_of(treated, "P1", control=False).assign(well=[f"B{i:02d}" for i in range(1, 9)]),
            fields_of(controls, "P2"),
            fields_of(treated, "P3", control=False),
        ]
    )
    found = schemas.plate_statistics.validate(plate_statistics(fields, 2))
    np.testing.assert_allclose(values(found, "P1"), median_of_pixels(controls))
    np.testing.assert_allclose(values(found, "P3"), median_of_pixels(treated))
    facts = found.drop_duplicates("plate_file").set_index("plate_file")[["basis", "wells", "fields"]]
    assert facts.T.to_dict("list") == {"P1": ["controls", 2, 4], "P2": ["controls", 4, 4], "P3": ["all wells", 8, 8]}
    assert "1 of 3 plates have fewer control wells than ingestion.minimum_control_wells (2)" in caplog.text
    assert "P3 (0)" in caplog.text

    # Four fields of two wells are two wells.
    stricter = plate_statistics(fields, 3)
    assert stricter.groupby("plate_file")["basis"].first().to_dict() == {
        "P1": "all wells",
        "P2": "controls",
        "P3": "all wells",
    }
    np.testing.assert_allclose(values(stricter, "P1"), median_of_pixels(np.concatenate([controls, treated])))
    assert "P1 (2), P3 (0)" in caplog.text


def test_a_channel_without_contrast_is_named(caplog):
    images = make_images(4)
    plate_statistics(fields_of(images), 4)
    assert caplog.text == ""
    images[:, 2] = 7
    found = plate_statistics(fields_of(images), 4)
    assert values(found)[1][2] == 0
    assert "1 channels of plates have the same value in all pixels of most fields: RNA of P1" in caplog.text


def test_statistics_that_a_user_gives_are_checked():
    mean, std = [10, 20.5, 30, 40, 50], np.array([1, 2, 3, 4, 5.5])
    expected = np.array([mean, std], np.float32)
    found = checked_statistics({"mean": mean, "std": std})
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
    by_channel = pd.DataFrame({"mean": mean, "std": std}, index=list(CHANNELS))[::-1].to_dict()
    np.testing.assert_array_equal(checked_statistics(by_channel), expected)
    bad = [
        ({"mean": mean}, "must have `mean` and `std`, not mean"),
        ({"mean": mean, "std": std[:4]}, "std must be five numbers, for Mito, ER"),
        ({"mean": mean, "std": [*std[:4], np.nan]}, "std must be from 0 to 255"),
        ({"mean": [*mean[:4], 256], "std": std}, "mean must be from 0 to 255"),
        ({"mean": ["a"] * 5, "std": std}, "mean must be five numbers"),
        ({"mean": mean, "std": {"DNA": 1}}, "std has the channels DNA; it needs"),
    ]
    for given_statistics, message in bad:
        with pytest.raises(ValueError, match=message):
            checked_statistics(given_statistics)
    with pytest.raises(TypeError, match=r"must be \{'mean': "):
        checked_statistics([mean, std])
