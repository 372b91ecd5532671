"""Retrieval galleries agree with the ranks behind the tables."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.reporting import gallery
from cloome_kedro.reporting.montage import field_reader
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study(noise=3.0)


def _draw(study, **options):
    return gallery.retrieval_gallery(
        study["retrieval_ranks"],
        (study["field_embeddings"], study["compound_embeddings"]),
        study["compounds"],
        field_reader(study["plate_store"], study["fields"]),
        LOOK,
        **options,
    )


def _rows(figure, hits):
    """Rows of axes of the two halves: structure queries, image queries."""
    for part in figure.subfigs[1:]:
        yield [part.axes[i : i + hits + 2] for i in range(0, len(part.axes), hits + 2)]


def _name(axis):
    return axis.get_xlabel().splitlines()[0]


def _frame(axis):
    return to_hex(axis.spines["top"].get_edgecolor())


def test_structures_are_drawn_and_bad_ones_named():
    benzene, phenol = gallery.draw_structure("c1ccccc1"), gallery.draw_structure("Oc1ccccc1")
    assert benzene.shape[:2] == (320, 320)
    assert benzene.min() < 0.5 < benzene.mean()
    assert not np.array_equal(benzene, phenol)
    with pytest.raises(ValueError, match=r"'C\(C'"):
        gallery.draw_structure("C(C")


def test_nearest_is_by_cosine():
    generator = np.random.default_rng(0)
    queries, candidates = generator.normal(size=(3, 8)), generator.normal(size=(20, 8))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, candidates)]
    found = gallery.nearest(*unit, hits=5)
    for query, best in zip(queries, found, strict=True):
        cosine = [query @ c / np.linalg.norm(query) / np.linalg.norm(c) for c in candidates]
        assert best.tolist() == sorted(range(20), key=lambda i: -cosine[i])[:5]
    assert gallery.nearest(*unit, hits=50).shape == (3, 20)


@pytest.fixture(scope="module")
def figure(study):
    return _draw(study, queries=10, hits=5)


def test_frames_agree_with_the_ranks(study, figure):
    ranks = study["retrieval_ranks"].query(
        "method == 'CLOOME' and pool == 'full' and shown_by == 'field' and draw == 0"
    )
    names = study["compounds"].set_index("inchikey")["name"]
    for direction, key, rows in zip(
        ("compound to image", "image to compound"), ("query", "match"), _rows(figure, 5), strict=True
    ):
        expected = ranks[ranks["direction"] == direction].set_index(key)["rank"].rename(index=names)
        framed = []
        for row in rows:
            name, rank = _name(row[0] if key == "query" else row[-1]), int(row[-1].get_xlabel().split()[-3])
            assert rank == expected[name]
            framed.append([_frame(axis) for axis in row[1:6]].count(gallery.MATCH))
            assert (_frame(row[rank]) == gallery.MATCH) if rank <= 5 else not framed[-1]
        assert 0 < sum(framed) < len(rows), "the test needs hits and misses"
    assert "random split · simulated data" in [text.get_text() for text in figure.subfigs[0].texts]


def test_same_mechanism_is_framed_in_blue(study, figure):
    moa = study["compounds"].set_index("name")["moa"]
    rows = next(_rows(figure, 5))
    blue = 0
    for row in rows:
        query = _name(row[0])
        for axis in row[1:6]:
            hit = _name(axis)
            same = pd.notna(moa[query]) and moa[query] == moa[hit] and query != hit
            assert (_frame(axis) == gallery.MECHANISM) == same
            blue += same
    assert blue


@pytest.mark.parametrize(
    ("a", "b", "shared"), [("x|y", "y", True), ("x", "xy", False), (None, None, False), ("x", None, False)]
)
def test_mechanisms_are_shared_by_whole_names(a, b, shared):
    assert gallery._share_mechanism(pd.Series([a, b], dtype="str"), 0, 1) is shared


def test_queries_follow_the_seed(study):
    def names(seed):
        return [row[0].get_xlabel() for row in next(_rows(_draw(study, queries=3, hits=1, seed=seed), 1))]

    assert names(1) == names(1)
    assert names(1) != names(2)


def test_few_compounds_give_a_small_gallery(study):
    ranks = study["retrieval_ranks"]
    keys = ranks.loc[ranks["direction"] == "compound to image", "query"].unique()[:2]
    few = {**study, "retrieval_ranks": ranks[ranks["query"].isin(keys) | ranks["match"].isin(keys)]}
    first, second = _rows(_draw(few), 2)
    assert len(first) == len(second) == 2


def test_missing_inputs_are_named(study):
    with pytest.raises(ValueError, match="full pool"):
        _draw({**study, "retrieval_ranks": study["retrieval_ranks"].query("pool == 'sampled'")})
    with pytest.raises(ValueError, match="full pool"):
        _draw({**study, "retrieval_ranks": study["retrieval_ranks"].query("method != 'CLOOME'")})
    whole = study["field_embeddings"]
    with pytest.raises(KeyError, match="virtual/plate1"):
        _draw({**study, "field_embeddings": Embeddings(whole.keys[56:], whole.vectors[56:])})
