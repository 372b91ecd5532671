"""Probes of planted signals."""

from dataclasses import replace

import numpy as np
import pandas as pd

from cloome_kedro.evaluation.assays import ProbeInputs, Samples, probe
from cloome_kedro.evaluation.auc import weighted_aucs
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
from cloome_kedro.words import CLEAN

FIELDS = 4  # of each planted compound


def test_probes_find_what_was_planted(probed):
    table = probed.table.set_index(["method", "images", "assay"])
    assert table.index.is_unique
    assert len(table) == 4 * 4
    assert set(table["shown_by"]) == {"mean"}
    assert table.loc[("CLOOME", CLEAN, "easy"), "auc"] > 0.9
    assert table.loc[("CLOOME", CLEAN, "hard"), "auc"] > table.loc[("Untrained", CLEAN, "hard"), "auc"]
    rare = table.xs("rare", level="assay")
    assert not rare["scored"].any()
    assert rare["reason"].notna().all()
    assert (rare["test_actives"] == 0).all()


def test_corrupted_images_are_scored_by_the_probes_of_clean_ones(probed):
    np.testing.assert_array_equal(probed.scores["CLOOME", "same"], probed.scores["CLOOME", CLEAN])
    worse = probed.table.query("images == 'worse' and scored").set_index("assay")
    clean = probed.table.query("images == 'clean' and method == 'CLOOME' and scored").set_index("assay")
    assert (worse["c"] == clean["c"]).all()
    assert worse.loc["easy", "auc"] < clean.loc["easy", "auc"] - 0.2


def test_samples_are_labelled_compounds_or_their_fields(planted, probed):
    features, inputs = planted
    of_test = inputs.fields.loc[inputs.fields["fold"] == "test", "inchikey"]
    tested = inputs.labels.loc[sorted(set(of_test))].dropna(how="all")
    assert probed.compounds.tolist() == tested.index.tolist()
    np.testing.assert_array_equal(probed.labels, tested)
    assert "compound299" not in probed.compounds
    by_field = probe({"CLOOME": features["CLOOME"]}, replace(inputs, level="field"))
    assert by_field.compounds.tolist() == np.repeat(probed.compounds, FIELDS).tolist()
    np.testing.assert_array_equal(by_field.labels, np.repeat(probed.labels, FIELDS, axis=0))
    assert set(by_field.table["shown_by"]) == {"field"}
    ours = probed.table.query("method == 'CLOOME' and images == 'clean'").reset_index(drop=True)
    assert (by_field.table["test_actives"] == FIELDS * ours["test_actives"]).all()


def test_the_order_of_fields_does_not_matter_for_compounds(planted, probed):
    features, inputs = planted
    turned = np.random.default_rng(1).permutation(len(inputs.fields))
    shuffled = {name: values[turned] for name, values in features.items()}
    found = probe(shuffled, replace(inputs, fields=inputs.fields.iloc[turned]))
    assert found.compounds.tolist() == probed.compounds.tolist()
    np.testing.assert_allclose(found.scores["CLOOME", CLEAN], probed.scores["CLOOME", CLEAN], atol=1e-3)


def test_a_fold_without_labels_scores_nothing(planted):
    features, inputs = planted
    of_test = set(inputs.fields.loc[inputs.fields["fold"] == "test", "inchikey"])
    none_tested = inputs.labels[~inputs.labels.index.isin(of_test)]
    probed = probe(features, replace(inputs, labels=none_tested))
    assert len(probed.table) == 2 * 4
    assert not probed.table["scored"].any()
    comparison = ("CLOOME", CLEAN), ("Untrained", CLEAN), "Untrained"
    metrics, differences = summarise_probes(probed, [comparison], ProbeSummary())
    assert metrics.empty
    assert differences.empty


def test_scores_give_the_areas_of_the_table(probed):
    """What the bootstrap resamples is what the table says."""
    for (method, images), scores in probed.scores.items():
        table = probed.table[(probed.table["method"] == method) & (probed.table["images"] == images)]
        for column, (assay, auc) in enumerate(zip(table["assay"], table["auc"], strict=True)):
            measured = ~np.isnan(probed.labels[:, column])
            if assay != "rare":
                labels = probed.labels[measured, column]
                found = weighted_aucs(labels, scores[measured, column], np.ones(len(labels)))
                np.testing.assert_allclose(found[0], auc, rtol=1e-6)


def test_an_assays_probe_does_not_depend_on_the_other_assays():
    """Few, nearly collinear features and weak signals: here solvers of many assays at once go astray first."""
    generator = np.random.default_rng(1)
    compounds = 300
    angle = np.pi / 2 * generator.uniform(0.3, 0.7, compounds)
    features = {"Cell count only": np.column_stack([np.cos(angle), np.sin(angle)])}
    names = np.array([f"compound{i:03d}" for i in range(compounds)])
    fields = pd.DataFrame({"inchikey": names, "fold": np.repeat(["train", "validation", "test"], [180, 60, 60])})
    rates = generator.uniform(0.05, 0.4, 30)
    labels = pd.DataFrame(generator.random((compounds, 30)) < rates, index=names).astype(float).add_prefix("assay")
    labels = labels.mask(generator.random(labels.shape) < 0.3)
    inputs = ProbeInputs(fields, labels, [10.0**power for power in range(-6, 7)])
    together = probe(features, inputs).table
    alone = pd.concat([probe(features, replace(inputs, labels=labels[[assay]])).table for assay in labels])
    same = together["c"].to_numpy() == alone["c"].to_numpy()  # validation AUCs of neighbouring C nearly tie
    assert same.mean() > 0.8
    np.testing.assert_allclose(together["auc"][same], alone["auc"][same], atol=1e-3)


def test_features_of_a_method_follow_the_fields(planted):
    features, inputs = planted
    order = np.random.default_rng(2).permutation(len(inputs.fields))
    keys = inputs.fields["field_id"].to_numpy()
    method = Method(Embeddings(keys[order], features["CLOOME"][order]))
    np.testing.assert_array_equal(inputs.features(method), features["CLOOME"])


def test_fields_that_a_method_does_not_know_get_the_mean_of_the_training_fields_that_it_knows(planted):
    features, inputs = planted
    values = features["CLOOME"].astype(np.float32)
    keys = inputs.fields["field_id"].to_numpy()
    known = np.arange(len(keys)) % 3 > 0
    found = inputs.features(Method(Embeddings(keys[known], values[known])))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[known], values[known])
    train = (inputs.fields["fold"] == "train").to_numpy()
    mean = values[known & train].mean(axis=0)
    np.testing.assert_allclose(found[~known], np.broadcast_to(mean, found[~known].shape), rtol=1e-5)
    assert np.abs(values[train].mean(axis=0) - mean).max() > 1e-3, "the mean of all training fields is another one"


def test_compounds_are_probed_with_the_weights_of_their_fields(planted):
    features, inputs = planted
    values, keys = features["CLOOME"], inputs.fields["field_id"].to_numpy()
    logits = np.random.default_rng(3).normal(size=len(keys))
    weighted, plain = Method(Embeddings(keys, values, logits=logits)), Method(Embeddings(keys, values))
    compounds, folds = inputs.fields["inchikey"].to_numpy(), inputs.fields["fold"].to_numpy()
    test = folds == "test"
    samples = Samples.of(compounds[test], np.ones(test.sum(), bool), "compound")
    found = samples.features(inputs.features(weighted)[test])
    for name, row in zip(samples.compounds, found, strict=True):
        of_compound = compounds == name
        weights = np.exp(logits[of_compound]) / np.exp(logits[of_compound]).sum()
        np.testing.assert_allclose(row, weights @ values[of_compound], rtol=1e-9)
    np.testing.assert_allclose(samples.features(values[test], logits[test]), found, rtol=1e-12)
    np.testing.assert_allclose(inputs.test_features(weighted.fields), inputs.features(weighted)[test], rtol=1e-12)
    by_field = replace(inputs, level="field")
    np.testing.assert_array_equal(by_field.features(weighted), by_field.features(plain))
    np.testing.assert_array_equal(by_field.test_features(weighted.fields), values[test])
    known = np.arange(len(keys)) % 3 > 0
    some = Method(Embeddings(keys[known], values[known], logits=logits[known]))
    filled_values, filled_logits = (
        np.where(known.reshape(-1, *[1] * (array.ndim - 1)), array, array[known & (folds == "train")].mean(axis=0))
        for array in (values, logits)
    )
    expected = inputs.features(Method(Embeddings(keys, filled_values, logits=filled_logits)))
    np.testing.assert_allclose(inputs.features(some), expected, rtol=1e-9)


def test_samples_of_a_fold():
    compounds = np.array(["b", "a", "b", "c", "a"])
    labelled = np.array([True, True, True, False, True])
    values = np.array([[1.0], [2.0], [5.0], [100.0], [4.0]])
    means = Samples.of(compounds, labelled, "compound")
    assert means.compounds.tolist() == ["a", "b"]
    assert means.features(values).tolist() == [[3], [3]]
    each = Samples.of(compounds, labelled, "field")
    assert each.compounds.tolist() == ["b", "a", "b", "a"]
    assert each.features(values).tolist() == [[1], [2], [5], [4]]
