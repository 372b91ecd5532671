"""Settings that follow from the size of a screen."""

import pytest
import yaml

from cloome_kedro.imaging.discovery.scale import choose_scale, choose_storage
from cloome_kedro.imaging.discovery.texts import escape, flow, write_catalog


@pytest.mark.parametrize(
    ("shape", "diameter", "size", "stored"),
    [((1080, 1080), 36, (270, 270), 9), ((520, 696), 29.5, (173, 232), 9.8), ((96, 96), 9, (96, 96), 9)],
)
def test_nuclei_are_stored_at_about_the_default_diameter(shape, diameter, size, stored):
    storage = choose_storage([shape], [diameter])
    assert storage.size == size
    assert storage.diameter == pytest.approx(stored)


def test_small_nuclei_are_never_enlarged():
    storage = choose_storage([(200, 200)], [4.0])
    assert (storage.size, storage.diameter) == ((200, 200), 4.0)


def test_sources_share_a_size_that_no_image_is_smaller_than():
    assert choose_storage([(1080, 1080), (540, 800)], [18.0, 18.0]).size == (270, 400)


def test_without_nuclei_the_diameter_is_a_guess():
    storage = choose_storage([(1024, 1024)], [])
    assert storage.size == (256, 256)
    assert "guess" in storage.reason


def test_a_given_size_keeps_the_proportion_of_nuclei():
    assert choose_storage([(1000, 1000)], [40.0], (500, 500)).diameter == 20


@pytest.mark.parametrize("size", [(541, 800), (540, 801)])
def test_a_given_size_is_not_larger_than_the_smallest_images(size):
    shapes = [(1080, 1080), (540, 800)]
    assert choose_storage(shapes, [], (540, 800)).size == (540, 800)
    with pytest.raises(ValueError, match=f"{size[0]} x {size[1]} is larger than the images, 540 x 800 pixels"):
        choose_storage(shapes, [], size)


@pytest.mark.parametrize(
    ("compounds", "scaffolds", "splits", "models"),
    [
        (2, None, ["random"], 2),
        (6, None, ["random"], 2),
        (50, None, ["random"], 2),
        (150, 12, ["random"], 5),
        (150, 90, ["random", "scaffold"], 5),
        (5000, None, ["random", "scaffold"], 5),
    ],
)
def test_splits_and_models_by_the_number_of_compounds(compounds, scaffolds, splits, models):
    scale = choose_scale(compounds, 8 * compounds, title="T", side=64, scaffolds=scaffolds)
    assert scale.splits == splits
    assert len(scale.models) == models
    assert next(iter(scale.models)) == "cloome"
    assert ("no claim" in scale.groups["reporting"][1]["title"]) == (compounds < 20)


@pytest.mark.parametrize(("compounds", "is_complete"), [(3, False), (4, False), (5, True), (19, True)])
def test_a_note_says_whether_the_test_fold_can_be_evaluated(compounds, is_complete):
    (note,) = choose_scale(compounds, 8 * compounds, title="T", side=64).notes
    assert ("The report will be complete" in note) == is_complete
    assert ("The test fold has only one, so retrieval" in note) != is_complete


def test_a_screen_without_images_has_no_model_that_sees_images():
    scale = choose_scale(500, 1000, title="T")
    assert list(scale.models) == ["profiles", "ridge", "fusion", "bilinear"]
    assert scale.groups["models"][1]["fusion"]["parts"] == ["profiles", "ridge"]
    assert list(choose_scale(30, 60, title="T").models) == ["profiles", "bilinear"]


@pytest.mark.parametrize(("side", "square", "crop"), [(64, True, None), (173, False, 160), (270, True, 256)])
def test_crops_are_square(side, square, crop):
    for compounds in (10, 500):
        groups = choose_scale(compounds, 2000, title="T", side=side, square=square).groups
        view = groups.get("models", ("", {}))[1].get("cloome", {}).get("field", {}).get("view", {})
        assert view.get("crop") == crop


def test_shares_of_few_compounds_sum_to_one():
    shares = choose_scale(3, 9, title="T", side=64).groups["splits"][1]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)


def test_three_compounds_are_divided_into_three_folds():
    import pandas as pd

    from cloome_kedro.chemistry.splits.by_structure import random_split

    for compounds in range(3, 20):
        shares = choose_scale(compounds, 9, title="T", side=64).groups["splits"][1]
        table = pd.DataFrame({"inchikey": [f"K{i:02d}" for i in range(compounds)]}).assign(
            block=lambda t: t["inchikey"]
        )
        for seed in range(20):
            counts = random_split(table, table, shares, seed)["fold"].value_counts()
            assert set(counts.index) == {"train", "validation", "test"}


def test_names_of_folders_are_text_in_yaml(tmp_path):
    folder = tmp_path / "a: b # {c} '$' é"
    text = write_catalog(folder, labels=folder / "labels.csv")
    read = yaml.safe_load(text)
    assert read["raw_screen"]["filepath"] == str(folder)
    assert read["assay_labels"]["type"].endswith("LabelTable")
    assert escape("/a/${b}") == "/a/\\${b}"
    assert yaml.safe_load(flow({"1": "Mito", "no": None})) == {"1": "Mito", "no": None}


def test_a_matrix_of_labels(tmp_path):
    files = {key: tmp_path / name for key, name in (("filepath", "m.mtx"), ("rows", "r.csv"), ("columns", "c.csv"))}
    read = yaml.safe_load(write_catalog(tmp_path, matrix=files))["assay_labels"]
    assert read["type"].endswith("LabelMatrix")
    assert read["rows"] == str(tmp_path / "r.csv")
