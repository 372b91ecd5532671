import numpy as np
import pytest

from cloome_kedro.evaluation import pair_scores as module
from cloome_kedro.evaluation.pair_scores import distinct_scores, number_vectors, pair_scores


def random_vectors(n, size):
    return np.random.default_rng(0).standard_normal((n, size)).astype(np.float32) / np.float32(np.sqrt(size))


@pytest.mark.parametrize("size", [1, 3, 8, 100, 129, 512, 1081])
def test_a_score_depends_on_its_pair_alone(size, monkeypatch):
    vectors = np.asfortranarray(random_vectors(90, size))
    rows, columns = np.random.default_rng(1).integers(0, 90, (2, 500))
    together = pair_scores(vectors, vectors, rows, columns)
    alone = [pair_scores(vectors, vectors, rows[[i]], columns[[i]])[0] for i in range(500)]
    np.testing.assert_array_equal(together, alone)
    monkeypatch.setattr(module, "_PAIR_VALUES", 7 * size)
    np.testing.assert_array_equal(together, pair_scores(vectors, vectors, rows, columns))
    dots = np.einsum("ij,ij->i", vectors[rows], vectors[columns], dtype=np.float64)
    np.testing.assert_allclose(together, dots, atol=1e-14)


def test_rows_that_only_project_alike_are_told_apart(monkeypatch):
    monkeypatch.setattr(module, "pair_scores", lambda vectors, *_: np.zeros(len(vectors)))
    vectors = np.array([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    classes = number_vectors(vectors)
    assert classes[0] == classes[2]
    assert len(set(classes.tolist())) == 3


def test_a_table_of_scores_is_made_only_where_it_is_far_smaller():
    few, many = np.eye(3)[np.arange(60) % 3], random_vectors(60, 3)
    assert distinct_scores(few, few, number_vectors(few)).scores.shape == (3, 3)
    assert distinct_scores(few, many, number_vectors(many)).scores.shape == (3, 60)
    assert distinct_scores(many, many, number_vectors(many)) is None
