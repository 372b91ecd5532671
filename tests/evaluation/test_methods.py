"""Embeddings keep vectors and keys together; methods of a split are gathered from what a study has."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro import schemas
from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.features import standardised_profiles
from cloome_kedro.evaluation.methods import (
    Embeddings,
    Method,
    OtherSources,
    check_one_model,
    check_split,
    gather_methods,
    methods_of_task,
)
from cloome_kedro.evaluation.oracles import oracle_vectors
from cloome_kedro.words import (
    CELL_COUNT_ONLY,
    ORACLE_MECHANISM,
    ORACLE_PHENOTYPE,
    PLATE_ONLY,
    PROBING,
    PROFILES,
    RETRIEVAL,
    TASKS,
    UNKNOWN_SPLIT,
    UNTRAINED,
    WELL_ONLY,
    ZERO_SHOT,
)
from planted_examples import make_examples, unit

EMBEDDINGS = Embeddings(np.array(["b", "a", "c"], object), np.eye(3, dtype=np.float32), {"split_hash": "0123"})


def test_rows_are_found_by_key():
    for keys in (np.array(["a", "b"]), ["a", "b"], pd.Series(["a", "b"], index=[5, 3])):
        np.testing.assert_array_equal(EMBEDDINGS.of(keys), [[0, 1, 0], [1, 0, 0]])
    assert EMBEDDINGS.of([]).shape == (0, 3)
    with pytest.raises(KeyError, match="1 keys have no embedding, the first is z: run the embedding pipeline"):
        EMBEDDINGS.of(np.array(["a", "z"]))


def test_it_is_told_which_keys_have_a_vector():
    assert EMBEDDINGS.knows(["a", "z", "c", "a"]).tolist() == [True, False, True, True]
    assert EMBEDDINGS.knows([]).tolist() == []


@given(st.lists(st.integers(0, 30), unique=True), st.lists(st.integers(0, 30)))
def test_keys_that_are_known_are_those_that_have_a_vector(known, keys):
    embeddings = Embeddings(np.array(known, int).astype(str), np.array(known, float)[:, None])
    found = embeddings.knows(np.array(keys, int).astype(str))
    assert found.tolist() == [key in known for key in keys]
    having = np.array(keys, int)[found]
    assert embeddings.of(having.astype(str))[:, 0].tolist() == having.tolist()


@pytest.mark.parametrize(("keys", "match"), [(["a", "b"], "2 keys do not fit"), (["a", "a", "b"], "not unique")])
def test_keys_that_do_not_fit_are_refused(keys, match):
    with pytest.raises(ValueError, match=match):
        Embeddings(np.array(keys), np.eye(3, dtype=np.float32))
    with pytest.raises(ValueError, match=r"3 keys do not fit vectors of shape \(3,\)"):
        Embeddings(np.array(["a", "b", "c"]), np.ones(3))


def test_fields_are_given_with_unit_length():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0]])
    fields = Embeddings(np.array(["a", "b"]), vectors)
    np.testing.assert_allclose(Method(fields, normalised=False).unit_fields(["b", "a"]), [[0, 0], [0.6, 0.8]])
    np.testing.assert_array_equal(Method(fields).unit_fields(["b", "a"]), vectors[::-1], "rows are taken as they are")


def test_embeddings_of_other_folds_are_refused_and_those_of_unknown_ones_warned_of(caplog):
    of_folds = Embeddings(np.array(["a"]), np.ones((1, 2), np.float32), {"split_hash": "0123"})
    check_split(of_folds, "fields of CLOOME", "0123", "random")
    assert not caplog.records
    message = (
        "random split: the fields of CLOOME are embedded by a model that was trained on folds 0123, but the split has "
        "folds 4567"
    )
    with pytest.raises(ValueError, match=message):
        check_split(of_folds, "fields of CLOOME", "4567", "random")
    with pytest.raises(ValueError, match="embedded by a model that was trained on folds None"):
        check_split(replace(of_folds, meta={}), "fields of CLOOME", "4567", "random")
    published = replace(of_folds, meta={"split_hash": UNKNOWN_SPLIT})
    check_split(published, "fields of CLOOME", "4567", "random")
    assert "random split: THE FIELDS OF CLOOME ARE EMBEDDED BY A PUBLISHED MODEL" in caplog.text
    assert "compounds of the test fold" in caplog.text


def test_fields_and_compounds_of_two_models_are_refused():
    one, other = (replace(EMBEDDINGS, meta={"weights": weights}) for weights in ("aa", "bb"))
    check_one_model(one, one, "CLOOME, random split")
    with pytest.raises(
        ValueError, match="CLOOME, random split: fields are embedded by the model aa, but compounds by the model bb"
    ):
        check_one_model(one, other, "CLOOME, random split")


N = 12


@pytest.fixture(scope="module")
def examples():
    """12 compounds on two plates, one field on each."""
    fields = pd.DataFrame(
        {"plate": f"P{plate}", "well": f"A{number + 1:02d}", "number": number}
        for plate in range(2)
        for number in range(N)
    )
    folds = ["train"] * 6 + ["validation"] * 3 + ["test"] * 3
    return make_examples(fields, folds, split="random", moa=[f"moa {number % 3}" for number in range(N)])


def make_model(examples, seed=0, **meta):
    """Embeddings of fields and of compounds."""
    rng = np.random.default_rng(seed)
    meta = {"split_hash": examples["split_hash"].iloc[0], "weights": f"weights {seed}", "normalised": True, **meta}
    keys = examples["field_id"].to_numpy(), examples["inchikey"].unique()
    return tuple(Embeddings(of_side, unit(rng.normal(size=(len(of_side), 4))), meta) for of_side in keys)


@pytest.fixture(scope="module")
def models(examples):
    """A model of images, one without unit lengths, and one whose fields are not learned."""
    return {
        "CLOOME": make_model(examples, 0, learned=True),
        "Raw": make_model(examples, 1, normalised=False),
        "Bilinear": make_model(examples, 2, normalised=False, learned=False),
    }


@pytest.fixture(scope="module")
def others(examples):
    """Everything that methods beside the models can be made of."""
    rng = np.random.default_rng(5)
    n = len(examples)
    profiles = pd.DataFrame(rng.normal(3, 2, (n, 3)), columns=["a", "b", "c"]).assign(
        field_id=examples["field_id"], Metadata_Plate="P"
    )
    counts = pd.DataFrame({"field_id": examples["field_id"], "nuclei": rng.integers(1, 90, n)})
    wells = examples[["plate", "well"]].assign(compound_id="c", mechanism=examples["moa"], potency=1.0)
    axes = {f"{kind}_{axis}": rng.normal(size=n) for kind in ("phenotype", "realised") for axis in "ab"}
    return OtherSources(
        untrained=make_model(examples, 9, weights="untrained")[0],
        field_profiles=schemas.field_profiles.validate(profiles),
        cell_counts=counts,
        truth=schemas.truth.validate(wells.assign(**axes)),
    )


@pytest.fixture(scope="module")
def methods(examples, models, others):
    return gather_methods(examples, models, others)


def test_methods_are_in_order(methods, models):
    assert list(methods) == [
        *models,
        *(PROFILES, UNTRAINED, PLATE_ONLY, WELL_ONLY, CELL_COUNT_ONLY, ORACLE_PHENOTYPE, ORACLE_MECHANISM),
    ]


def test_models_are_asked_in_all_tasks_unless_their_fields_are_not_learned(methods):
    assert set(methods["CLOOME"].tasks) == set(methods["Raw"].tasks) == set(TASKS)
    assert methods["Bilinear"].tasks == (RETRIEVAL,)
    of_retrieval = ["CLOOME", "Raw", "Bilinear", ORACLE_PHENOTYPE, ORACLE_MECHANISM]
    assert list(methods_of_task(methods, RETRIEVAL)) == of_retrieval
    of_fields = ["CLOOME", "Raw", PROFILES, UNTRAINED, PLATE_ONLY, WELL_ONLY, CELL_COUNT_ONLY]
    for task in (*ZERO_SHOT, PROBING):
        assert list(methods_of_task(methods, task)) == of_fields
    assert all(method.compounds is not None for method in methods_of_task(methods, RETRIEVAL).values())


def test_how_ties_are_broken_and_what_has_unit_length(methods, examples):
    random = {name for name, method in methods.items() if method.ties == "random"}
    assert random == {PLATE_ONLY, WELL_ONLY, CELL_COUNT_ONLY, ORACLE_PHENOTYPE, ORACLE_MECHANISM}
    assert {method.ties for method in methods.values()} == {"random", "pessimistic"}
    other = {name for name, method in methods.items() if not method.normalised}
    assert other == {"Raw", "Bilinear", PROFILES, ORACLE_PHENOTYPE, ORACLE_MECHANISM}
    for name in set(methods) - other:
        lengths = np.linalg.norm(methods[name].fields.of(examples["field_id"]), axis=1)
        np.testing.assert_allclose(lengths, 1, rtol=1e-6, err_msg=name)


def test_vectors_are_those_of_their_makers(methods, examples, models, others):
    field_ids, keys = examples["field_id"], examples["inchikey"].unique()
    for label, (fields, compounds) in models.items():
        assert methods[label].fields is fields
        assert methods[label].compounds is compounds
    assert methods[UNTRAINED].fields is others.untrained
    train = (examples["fold"] == "train").to_numpy()
    profiles, _ = standardised_profiles(others.field_profiles, field_ids, train)
    np.testing.assert_array_equal(methods[PROFILES].fields.of(field_ids), profiles)
    for label, vectors in confounder_vectors(examples, others.cell_counts).items():
        np.testing.assert_array_equal(methods[label].fields.of(field_ids), vectors)
    for label, (of_fields, (of_keys, vectors)) in oracle_vectors(others.truth, examples).items():
        np.testing.assert_array_equal(methods[label].fields.of(field_ids), of_fields)
        np.testing.assert_array_equal(methods[label].compounds.of(keys), Embeddings(of_keys, vectors).of(keys))


def test_without_others_there_are_models_alone(examples, models, methods, caplog):
    alone = gather_methods(examples, models)
    assert alone == {label: methods[label] for label in models}
    assert list(alone) == list(models)
    assert not caplog.records


def test_a_screen_without_profiles_counts_and_truth(examples, models, others, caplog):
    nothing = OtherSources(None, others.field_profiles[:0], others.cell_counts[:0], others.truth[:0])
    found = gather_methods(examples, models, nothing)
    assert list(found) == [*models, PLATE_ONLY, WELL_ONLY]
    assert f"random split: no field has a profile: the method {PROFILES} is left out" in caplog.text
    assert f"24 of 24 fields have no cell count: the method {CELL_COUNT_ONLY} is left out" in caplog.text


def test_profiles_are_asked_about_fields_that_have_one(examples, models, others, caplog):
    some = others.field_profiles.drop(index=[0, 7])
    found = gather_methods(examples, models, replace(others, field_profiles=some))[PROFILES].fields
    assert found.knows(examples["field_id"]).tolist() == [row not in (0, 7) for row in range(2 * N)]
    assert (
        f"random split: 2 of 24 fields have no profile: the method {PROFILES} is not evaluated on them" in caplog.text
    )
    profiles, _ = standardised_profiles(some, examples["field_id"], (examples["fold"] == "train").to_numpy())
    np.testing.assert_array_equal(found.of(some["field_id"]), profiles[some.index])


@pytest.mark.parametrize("side", [0, 1])
def test_a_model_of_other_folds_is_refused(examples, models, side):
    changed = list(models["CLOOME"])
    changed[side] = replace(changed[side], meta={**changed[side].meta, "split_hash": "other"})
    what = ("fields", "compounds")[side]
    message = (
        f"random split: the {what} of CLOOME are embedded by a model that was trained on folds other, but the split "
        "has folds"
    )
    with pytest.raises(ValueError, match=message):
        gather_methods(examples, {"CLOOME": tuple(changed)})


def test_an_untrained_encoder_of_other_folds_is_refused(examples, models, others):
    """Its statistics of batch normalisation may be of test compounds."""
    other = replace(others, untrained=replace(others.untrained, meta={"split_hash": "other"}))
    with pytest.raises(
        ValueError, match="the fields of the untrained encoder are embedded by a model that was trained on folds other"
    ):
        gather_methods(examples, models, other)


def test_a_published_model_is_let_through_with_a_warning(examples, caplog):
    published = make_model(examples, split_hash=UNKNOWN_SPLIT)
    found = gather_methods(examples, {"Published": published})
    assert found["Published"].fields is published[0]
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    for what, warning in zip(("FIELDS", "COMPOUNDS"), warnings, strict=True):
        assert warning.startswith(f"random split: THE {what} OF PUBLISHED ARE EMBEDDED BY A PUBLISHED MODEL")
        assert "TRAINING COMPOUNDS ARE NOT KNOWN" in warning


def test_two_models_under_one_label_are_refused(examples, models):
    mixed = models["CLOOME"][0], models["Raw"][1]
    message = "Mixed, random split: fields are embedded by the model weights 0, but compounds by the model weights 1"
    with pytest.raises(ValueError, match=message):
        gather_methods(examples, {"Mixed": mixed})


def without(embeddings, rows, **meta):
    """Embeddings that lack some rows."""
    return Embeddings(
        np.delete(embeddings.keys, rows), np.delete(embeddings.vectors, rows, axis=0), {**embeddings.meta, **meta}
    )


@pytest.mark.parametrize("side", [0, 1])
def test_missing_embeddings_are_refused_unless_the_view_had_no_input(examples, models, side, caplog):
    what, size = (("fields", 2 * N), ("compounds", N))[side]
    whole = models["CLOOME"]
    message = f"random split: 2 of {size} {what} of CLOOME have no embedding, the first is {whole[side].keys[3]}"
    for meta in ({}, {"without_input": 0}, {"without_input": 1}):
        changed = list(whole)
        changed[side] = without(whole[side], [3, 5], **meta)
        with pytest.raises(ValueError, match=f"{message}: run the embedding pipeline"):
            gather_methods(examples, {"CLOOME": tuple(changed)})
    # Fields that the split does not use may have had no input, too.
    changed[side] = without(whole[side], [3, 5], without_input=4)
    found = gather_methods(examples, {"CLOOME": tuple(changed)})["CLOOME"]
    assert f"{message}: the model's view has no input for them, so they are left out" in caplog.text
    assert (found.fields, found.compounds) == tuple(changed)


def test_embeddings_of_more_than_the_examples_are_taken(examples, models, caplog):
    """Controls are embedded too, and compounds without a field."""
    some = examples[examples["inchikey"] != examples["inchikey"].iloc[0]]
    assert list(gather_methods(some, models)) == list(models)
    assert not caplog.records
