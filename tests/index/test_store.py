"""Searches of an index against brute force, its rows, and what is refused."""

import json

import numpy as np
import pytest

from cloome_kedro.index import Index
from cloome_kedro.index.build import update
from invented_index import build_small_index, images_of, random_content


@pytest.fixture(scope="module")
def content():
    return random_content(600, 40)


@pytest.fixture(scope="module")
def index(content, tmp_path_factory):
    folder = tmp_path_factory.mktemp("index")
    update(folder, content)
    return Index.open(folder)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Index.open(build_small_index(tmp_path_factory.mktemp("small")))


def brute_force(queries, vectors, keys, top):
    scores = queries @ vectors.T
    order = np.argsort(-scores, axis=1)[:, :top]
    return np.asarray(keys)[order], np.take_along_axis(scores, order, axis=1)


@pytest.mark.parametrize("kind", ["fields", "compounds"])
def test_an_exact_search_is_brute_force(index, content, kind):
    queries = content.compound_vectors[:5]
    rows, vectors = content.rows()[kind]
    hits = index.search(queries, kind, top=20)
    key = {"fields": "field_id", "compounds": "inchikey"}[kind]
    keys, scores = brute_force(queries, vectors, rows[key], 20)
    assert hits["query"].tolist() == np.repeat(np.arange(5), 20).tolist()
    assert hits["rank"].tolist() == [*range(1, 21)] * 5
    np.testing.assert_array_equal(hits[key].to_numpy().reshape(5, 20), keys)
    np.testing.assert_allclose(hits["score"].to_numpy().reshape(5, 20), scores, atol=1e-5)


def test_a_condition_is_applied_before_the_search(index, content):
    hits = index.search(content.compound_vectors[0], "fields", 10, where="moa = 'a' AND plate = 'P0'")
    is_chosen = ((content.fields["moa"] == "a") & (content.fields["plate"] == "P0")).to_numpy()
    keys, _ = brute_force(
        content.compound_vectors[:1], content.field_vectors[is_chosen], content.fields["field_id"][is_chosen], 10
    )
    assert hits["field_id"].tolist() == keys[0].tolist()
    assert index.count("fields", "moa = 'a'") == (content.fields["moa"] == "a").sum()


def test_dot_products_of_models_without_normalisation(content, tmp_path):
    vectors = content.field_vectors * np.random.default_rng(1).uniform(0.5, 3, (600, 1)).astype(np.float32)
    other = random_content(600, 40, field_vectors=vectors, info=content.info | {"normalised": False})
    update(tmp_path, other)
    index = Index.open(tmp_path)
    query = 2 * other.compound_vectors[:1]
    keys, scores = brute_force(query, vectors, other.fields["field_id"], 15)
    hits = index.search(query, "fields", 15)
    assert hits["field_id"].tolist() == keys[0].tolist()
    np.testing.assert_allclose(hits["score"], scores[0], atol=1e-4)
    cosines = index.search(query, "fields", 1, metric="cosine")["score"].iloc[0]
    assert cosines == pytest.approx((other.compound_vectors[0] @ content.field_vectors.T).max(), abs=1e-5)


def test_ties_are_sorted_by_key(tmp_path):
    vectors = np.ones((8, 4), np.float32) / 2
    content = random_content(8, 2, size=4, field_vectors=vectors)
    update(tmp_path, content)
    hits = Index.open(tmp_path).search(vectors[0], "fields", 8)
    assert hits["field_id"].tolist() == sorted(content.fields["field_id"])


def test_rows_vectors_and_thumbnails_come_back(small):
    rows = small.rows("fields")
    assert len(rows) == small.info["counts"]["fields"] == 18
    assert rows["field_id"].tolist() == sorted(rows["field_id"])
    keys = rows["field_id"].tolist()[::-3]
    np.testing.assert_array_equal(small.thumbnails(keys), images_of(keys))
    single = np.stack([small.vectors("fields", [key])[0] for key in keys])
    np.testing.assert_array_equal(small.vectors("fields", keys), single)
    assert small.rows("fields", "control", ["plate"])["plate"].tolist() == ["P0", "P1"]
    assert len(small.rows("fields", limit=3)) == 3


def test_nothing_is_asked_for(small):
    assert small.thumbnails([]).shape == (0, 5, 32, 32)
    assert small.vectors("compounds", []).shape == (0, 6)


@pytest.mark.parametrize(
    ("kind", "key", "message"),
    [
        ("fields", "s/P0/A03/2", "no field 's/P0/A03/2'; the nearest are: s/P0/A03/1"),
        (
            "fields",
            "s/P7/A03/1",
            "it has no plate 'P7'; the nearest are: P0, P1|it has no plate 'P7'; the nearest are: P1",
        ),
        ("wells", "s/P0/A3", "no well 's/P0/A3'; the nearest are: s/P0/A03"),
        ("compounds", "LFQSCWFLJHTTHZ-UHFFFAOYSA-X", "the nearest are: LFQSCWFLJHTTHZ-UHFFFAOYSA-N"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest(small, kind, key, message):
    with pytest.raises(ValueError, match=message):
        small.vectors(kind, [key])


@pytest.mark.parametrize("where", ["mao = 'a'", "moa ==", "moa = 'a'; DROP TABLE fields", "'"])
def test_a_bad_condition_is_one_line_with_the_columns(index, content, where):
    for ask in (
        lambda: index.search(content.compound_vectors[0], where=where),
        lambda: index.rows("fields", where),
        lambda: index.count("fields", where),
    ):
        with pytest.raises(ValueError, match=r"cannot be used: .*The columns of fields are: field_id, plate") as error:
            ask()
        assert "\n" not in str(error.value)
    assert index.count("fields") == 600


def test_bad_queries_are_refused(index):
    for vectors, message in (
        (np.ones(3), "have 16 numbers, not 3"),
        (np.full(16, np.nan), "query 0 is not finite"),
        (np.zeros((0, 16)), "there is no query"),
    ):
        with pytest.raises(ValueError, match=message):
            index.search(vectors)
    with pytest.raises(ValueError, match="top must be at least 1"):
        index.search(np.ones(16), top=0)
    with pytest.raises(ValueError, match="an index has no 'plates', only fields, wells, compounds"):
        index.search(np.ones(16), kind="plates")


def test_only_complete_indexes_of_this_format_are_opened(tmp_path, index):
    with pytest.raises(FileNotFoundError, match="is not an index"):
        Index.open(tmp_path)
    file = tmp_path / "index.json"
    for text, message in (
        (json.dumps(index.info | {"format": 99}), "has the index format 99, but this version reads format 1"),
        (json.dumps(index.info | {"complete": False}), "is not complete, because its build was interrupted"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=message):
            Index.open(tmp_path)
    file.write_text(json.dumps(index.info))
    with pytest.raises(FileNotFoundError, match="no readable table"):
        Index.open(tmp_path).rows("fields")


def test_a_screen_without_images_has_no_thumbnails(index):
    with pytest.raises(ValueError, match="has no images"):
        index.thumbnails(["s/P0/W000/0"])


def test_a_copied_folder_works(tmp_path, index, content):
    import shutil

    shutil.copytree(index.folder, tmp_path / "given away")
    copied = Index.open(tmp_path / "given away")
    query = content.compound_vectors[0]
    assert copied.search(query, top=5).equals(index.search(query, top=5))
