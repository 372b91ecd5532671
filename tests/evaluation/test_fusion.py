"""Fusions: scores are weighted sums of standardised scores, and weights come from the validation fold alone."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation import selection
from cloome_kedro.evaluation.fusion import Part, choose_weights, fuse, weight_grid
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.evaluation.retrieval import retrieval_accuracies
from cloome_kedro.evaluation.selection import match_quality, validation_draws
from planted_examples import inchikey, make_examples, unit

COMPOUNDS, FIELDS = 90, 2
FOLDS = np.repeat(["train", "validation", "test"], [30, 40, 20])
LATENT = np.random.default_rng(5).normal(size=(COMPOUNDS, 6))


@pytest.fixture(scope="module")
def examples():
    number = np.repeat(np.arange(COMPOUNDS), FIELDS)
    wells = [f"A{place % 12 + 1:02d}" for place in range(len(number))]
    plates = [f"P{place // 12}" for place in range(len(number))]
    return make_examples(pd.DataFrame({"plate": plates, "well": wells, "number": number}), FOLDS)


def part(examples, noise, seed, normalised=True, factor=1.0, learned=True, folds=None) -> Part:
    """A model whose vectors are the planted ones with noise; in other folds than ``folds`` they are noise alone."""
    rng = np.random.default_rng(seed)
    number = examples["structure_row"].to_numpy()
    signal = LATENT if folds is None else LATENT * np.isin(FOLDS, folds)[:, None]
    fields = signal[number] + noise * rng.normal(size=(len(number), 6))
    compounds = signal + noise * rng.normal(size=(COMPOUNDS, 6)) / 3
    fields, compounds = (unit(fields), unit(compounds)) if normalised else (fields, compounds * factor)
    meta = {"normalised": normalised, "learned": learned}
    keys = np.array([inchikey(each) for each in range(COMPOUNDS)])
    return Part(Embeddings(examples["field_id"].to_numpy(), fields, meta), Embeddings(keys, compounds, meta))


def scores_of(fields, compounds, table):
    return fields.of(table["field_id"]).astype(float) @ compounds.of(table["inchikey"]).astype(float).T


def test_scores_of_a_fusion_are_weighted_sums_of_standardised_scores(examples):
    parts = {
        "a": part(examples, 1, 0),
        "b": part(examples, 2, 1, normalised=False, factor=1e-3),
        "c": part(examples, 3, 2),
    }
    weighting = choose_weights(parts, examples, np.array([[0.2, 0.3, 0.5]]), seed=0, draws=3)
    fields, compounds = fuse(parts, weighting)
    test = examples[examples["fold"] == "test"]
    drawn = validation_draws(examples, np.ones(len(examples), bool), 0, 3)
    expected = np.zeros((len(test), len(test)))
    for (name, each), weight in zip(parts.items(), (0.2, 0.3, 0.5), strict=True):
        values = np.concatenate([scores_of(each.fields, each.compounds, table).ravel() for table in drawn])
        assert weighting.scales[name] == pytest.approx(values.std(), rel=1e-6)
        expected += weight * (scores_of(each.fields, each.compounds, test) - values.mean()) / values.std()
    found = scores_of(fields, compounds, test)
    slope, intercept = np.polyfit(expected.ravel(), found.ravel(), 1)
    assert slope > 0
    np.testing.assert_allclose(found, slope * expected + intercept, atol=1e-6)


def test_unit_vectors_stay_unit_vectors(examples):
    parts = {"a": part(examples, 1, 0), "b": part(examples, 2, 1)}
    weighting = choose_weights(parts, examples, weight_grid(2, 10), seed=0, draws=2)
    for side in fuse(parts, weighting):
        np.testing.assert_allclose(np.linalg.norm(side.vectors, axis=1), 1, atol=1e-6)
        assert side.vectors.dtype == np.float32


def test_lengths_of_vectors_that_are_not_normalised_do_not_matter(examples):
    """The same scores from short fields and long compounds, or the other way round."""
    joined = []
    for factor in (1, 1e4):
        loose = part(examples, 2, 1, normalised=False)
        scaled = Part(
            Embeddings(loose.fields.keys, loose.fields.vectors / factor, loose.fields.meta),
            Embeddings(loose.compounds.keys, loose.compounds.vectors * factor, loose.compounds.meta),
        )
        parts = {"a": part(examples, 1, 0), "b": scaled}
        joined.append(fuse(parts, choose_weights(parts, examples, np.array([[0.5, 0.5]]), seed=0, draws=2)))
    for first, second in zip(*joined, strict=True):
        np.testing.assert_allclose(first.vectors, second.vectors, atol=1e-6)


def test_the_weights_find_the_part_that_knows_something(examples):
    parts = {"noise": part(examples, 1e3, 0), "good": part(examples, 0.5, 1), "other noise": part(examples, 1e3, 2)}
    weighting = choose_weights(parts, examples, weight_grid(3, 10), seed=0, draws=5)
    assert weighting.weights["good"] >= 0.7
    table = weighting.selection
    assert table["candidate"].nunique() == 66
    assert table[table["best"]]["value"].sum() == pytest.approx(1)
    assert set(table[table["best"]]["part"]) == set(parts)
    assert table["validation_top1"].max() == table[table["best"]]["validation_top1"].iloc[0]


def test_two_halves_are_better_together(examples):
    halves = []
    for columns in (slice(0, 3), slice(3, 6)):
        whole = part(examples, 0.7, 3)
        halves.append(
            Part(
                Embeddings(whole.fields.keys, unit(whole.fields.vectors[:, columns]), whole.fields.meta),
                Embeddings(whole.compounds.keys, unit(whole.compounds.vectors[:, columns]), whole.compounds.meta),
            )
        )
    parts = dict(zip("ab", halves, strict=True))
    table = choose_weights(parts, examples, weight_grid(2, 10), seed=0, draws=5).selection
    alone = table[table["value"] == 1]["validation_top1"].max()
    assert table[table["best"]]["validation_top1"].iloc[0] > alone + 0.1


def test_other_folds_decide_nothing(examples):
    """A part that knows only test compounds gets no weight, and other vectors of the test fold change nothing."""
    parts = {"good": part(examples, 0.5, 1), "test only": part(examples, 0.01, 2, folds=["test", "train"])}
    weighting = choose_weights(parts, examples, weight_grid(2, 10), seed=0, draws=5)
    assert weighting.weights["good"] >= 0.7
    test = examples["fold"].to_numpy() == "test"
    changed = parts["good"].fields.vectors.copy()
    changed[test] = changed[test][::-1]
    others = parts | {"good": Part(Embeddings(parts["good"].fields.keys, changed, {}), parts["good"].compounds)}
    again = choose_weights(others, examples[~test], weight_grid(2, 10), seed=0, draws=5)
    assert again.weights == weighting.weights
    assert again.scales == weighting.scales
    assert again.balances == weighting.balances
    pd.testing.assert_frame_equal(again.selection, weighting.selection)


def test_only_what_all_parts_know_is_left(examples):
    whole, some = part(examples, 1, 0), part(examples, 1, 1)
    some = Part(
        Embeddings(some.fields.keys[::-1][5:], some.fields.vectors[::-1][5:], some.fields.meta),
        Embeddings(some.compounds.keys[3:], some.compounds.vectors[3:], some.compounds.meta),
    )
    parts = {"whole": whole, "some": some}
    weighting = choose_weights(parts, examples, np.array([[0.5, 0.5]]), seed=0, draws=2)
    fields, compounds = fuse(parts, weighting)
    assert fields.keys.tolist() == whole.fields.keys[:-5].tolist()
    assert compounds.keys.tolist() == whole.compounds.keys[3:].tolist()
    swapped = fuse({"some": some, "whole": whole}, weighting)
    assert set(swapped[0].keys) == set(fields.keys)


def test_what_cannot_be_fused_is_refused(examples):
    good = part(examples, 1, 0)
    same = Part(Embeddings(good.fields.keys, np.ones_like(good.fields.vectors), {}), good.compounds)
    constant = Part(same.fields, Embeddings(good.compounds.keys, np.ones_like(good.compounds.vectors), {}))
    with pytest.raises(ValueError, match="all validation scores of the model constant are the same"):
        choose_weights({"good": good, "constant": constant}, examples, weight_grid(2, 2), seed=0, draws=2)
    strangers = Part(Embeddings(np.array(["x"]), np.ones((1, 2)), {}), good.compounds)
    with pytest.raises(ValueError, match="0 compounds of the validation fold"):
        choose_weights({"good": good, "strangers": strangers}, examples, weight_grid(2, 2), seed=0, draws=2)
    weighting = choose_weights({"a": good, "b": good}, examples, np.array([[1.0, 0.0]]), seed=0, draws=2)
    with pytest.raises(ValueError, match="none of the fields is known to all parts"):
        fuse({"a": good, "b": strangers}, weighting)


@pytest.mark.parametrize(("parts", "candidates"), [(2, 11), (3, 66), (4, 286)])
def test_the_grid_covers_the_simplex(parts, candidates):
    grid = weight_grid(parts, 10)
    assert grid.shape == (candidates, parts)
    assert len({tuple(row) for row in grid.round(6).tolist()}) == candidates
    np.testing.assert_allclose(grid.sum(axis=1), 1)
    assert grid.min() == 0


def test_the_quality_of_matches_is_that_of_the_retrieval(examples):
    each = part(examples, 1, 0)
    table = validation_draws(examples, np.ones(len(examples), bool), 0, 1)[0]
    fields, compounds = each.fields.of(table["field_id"]), each.compounds.of(table["inchikey"])
    top1, mrr = match_quality(fields @ compounds.T)
    assert top1 == pytest.approx(retrieval_accuracies(fields, compounds)["top1"])
    assert top1 < mrr < 1


def test_ties_count_against_the_match():
    assert match_quality(np.ones((4, 4))) == (0, 0.25)


def test_large_validation_folds_are_sampled(examples):
    known = np.ones(len(examples), bool)
    drawn = validation_draws(examples, known, 3, 4, at_most=7)
    assert {table["inchikey"].nunique() for table in drawn} == {7}
    assert len({tuple(table["inchikey"]) for table in drawn}) == 1, "the same compounds in all draws"
    assert {fold for table in drawn for fold in table["fold"]} == {"validation"}
    assert len({tuple(table["field_id"]) for table in drawn}) > 1
    assert selection.AT_MOST >= 500
