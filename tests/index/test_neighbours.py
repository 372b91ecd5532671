"""Approximate indexes with their recall, and the similarity that is familiar."""

import numpy as np
import pytest

from cloome_kedro.index import Index
from cloome_kedro.index.build import update
from cloome_kedro.index.neighbours import familiar_similarity
from invented_index import random_content


@pytest.fixture(scope="module")
def approximate(tmp_path_factory):
    content = random_content(4000, 300, exact_below=1000, probes=8, recall=0.1)
    folder = tmp_path_factory.mktemp("approximate")
    update(folder, content)
    return Index.open(folder), content


def test_the_recall_of_an_approximate_index_is_measured(approximate):
    index, content = approximate
    search = index.info["search"]["fields"]
    assert not search["exact"]
    assert (search["partitions"], search["probes"]) == (63, 8)
    assert index.info["search"]["compounds"] == {"exact": True}
    queries = np.concatenate([content.field_vectors[:40], content.compound_vectors[:40]])
    shares = []
    for query in queries:
        exact = np.argsort(-(content.field_vectors @ query))[:20]
        found = index.search(query, "fields", 20)["field_id"]
        shares.append(np.isin(content.fields["field_id"].iloc[exact], found).mean())
    assert np.mean(shares) == pytest.approx(search["recall@20"], abs=0.06)
    assert 0.3 < search["recall@20"] < 1  # 8 of 63 partitions of random vectors cannot have all


def test_more_partitions_are_read_until_the_recall_is_reached(tmp_path):
    update(tmp_path, random_content(4000, 300, exact_below=1000, probes=4, recall=0.9))
    search = Index.open(tmp_path).info["search"]["fields"]
    assert search["recall@20"] >= 0.9
    assert search["probes"] in (16, 32, 63)


def test_an_exact_search_can_be_asked_for(approximate):
    index, content = approximate
    query = content.compound_vectors[5]
    expected = content.fields["field_id"].iloc[np.argsort(-(content.field_vectors @ query))[:20]]
    assert index.search(query, "fields", 20, exact=True)["field_id"].tolist() == expected.tolist()


def test_all_hits_are_found_if_few_rows_fulfil_a_condition(approximate):
    index, content = approximate
    where = "plate = 'P2' AND well = 'W005'"
    hits = index.search(content.compound_vectors[0], "fields", 4, where)
    assert sorted(hits["site"]) == [0, 1, 2, 3]


def test_added_rows_are_found_by_an_approximate_index(tmp_path):
    part = random_content(4000, 300, exact_below=1000, probes=63)
    kept = np.arange(4000) < 3000
    update(
        tmp_path,
        random_content(
            *(4000, 300), exact_below=1000, probes=63, fields=part.fields[kept], field_vectors=part.field_vectors[kept]
        ),
    )
    update(tmp_path, part)
    index = Index.open(tmp_path)
    hits = index.search(part.field_vectors[3500], "fields", 1)
    assert hits["field_id"].iloc[0] == part.fields["field_id"].iloc[3500]
    assert index.info["search"]["fields"]["recall@20"] == 1  # all partitions are read


def test_familiar_is_the_similarity_that_nearly_all_rows_have():
    angles = np.r_[np.repeat(0.0, 99), np.pi / 2]
    vectors = 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert familiar_similarity(vectors, quantile=0.0) == pytest.approx(0)
    assert familiar_similarity(vectors, quantile=0.5) == pytest.approx(1)
    assert familiar_similarity(vectors[:1]) is None
