"""The map of the embedding space against a singular value decomposition."""

import numpy as np
import pytest

import small_index
from cloome_kedro.index import Index
from cloome_kedro.page.library import Library
from cloome_kedro.page.spacemap import space_map


@pytest.fixture(scope="module")
def index(index_folders):
    return Index.open(index_folders[0])


def test_axes_are_the_principal_components_of_both_sides(index):
    found = space_map(index)
    sides = []
    for kind in ("fields", "compounds"):
        vectors = index.vectors(kind, getattr(found, kind).keys).astype(float)
        sides.append(vectors - vectors.mean(axis=0))
    weighted = np.concatenate([side / np.sqrt(len(side)) for side in sides])
    _, singular, axes = np.linalg.svd(weighted, full_matrices=False)
    np.testing.assert_allclose(found.explained, (singular**2 / (singular**2).sum())[:2], atol=1e-9)
    for kind, side in zip(("fields", "compounds"), sides, strict=True):
        places = np.stack([getattr(found, kind).x, getattr(found, kind).y], axis=1)
        np.testing.assert_allclose(np.abs(places), np.abs(side @ axes[:2].T), atol=1e-4)  # rounded
        np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-4)


def test_labels_are_those_of_the_index(index):
    found = space_map(index)
    fields, compounds = small_index.tables()
    by_key = fields.set_index("field_id")
    for key, moa, plate, fold in zip(
        found.fields.keys, found.fields.moa, found.fields.plate, found.fields.fold, strict=True
    ):
        row = by_key.loc[key]
        assert found.plate[plate] == row["plate"]
        assert found.fold[fold] == ("control" if row["control"] else row["fold"])
        assert (None if moa < 0 else found.moa[moa]) == (row["moa"] if isinstance(row["moa"], str) else None)
    assert set(found.compounds.names) == set(compounds["compound"])
    assert set(found.compounds.plate) == {-1}


def test_many_points_are_drawn_at_random_and_the_same_each_time(index):
    found = space_map(index, most_points=5)
    assert (len(found.fields.keys), found.fields.total) == (5, 48)
    assert (len(found.compounds.keys), found.compounds.total) == (5, 7)
    assert found == space_map(index, most_points=5)
    assert found.fields.keys != space_map(index, most_points=5, seed=1).fields.keys


def test_it_is_computed_once(index_folders):
    shelf = Library(index_folders, "cpu")["made_up-random-cloome"]
    assert shelf.map is shelf.map


def test_names_of_indexes_differ(index_folders, tmp_path):
    other = small_index.build(tmp_path / "other")
    assert list(Library([index_folders[0], other]).shelves) == ["made_up-random-cloome", "made_up-random-cloome-2"]
    with pytest.raises(ValueError, match="given twice"):
        Library([other, other])
    with pytest.raises(ValueError, match="no index to serve"):
        Library([])
    with pytest.raises(FileNotFoundError, match="is not an index"):
        Library([tmp_path])
