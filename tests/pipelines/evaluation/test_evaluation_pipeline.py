"""What all evaluations share: gathering methods, and joining results."""

import dataclasses
import logging

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.methods import Embeddings, check_methods
from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
from cloome_kedro.parameters import (
    CorrectionParameters,
    CorruptionParameters,
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.corruption.evaluation import probe_corrupted, rank_corrupted
from cloome_kedro.pipelines.evaluation import create_join_pipeline, create_methods_pipeline
from cloome_kedro.pipelines.evaluation.nodes import gather_methods, join_results
from cloome_kedro.pipelines.probing.nodes import probe_assays
from cloome_kedro.pipelines.retrieval.nodes import rank_matches, summarise_retrieval
from cloome_kedro.pipelines.zero_shot.nodes import classify_fields
from cloome_kedro.words import PROBING, RETRIEVAL, ZERO_SHOT
from planted_examples import inchikey, make_examples, run_pipeline, unit

N, PLATES = 20, 2
STUDY = StudyParameters(screen="s", simulated=True, models={"one": "First", "two": "Second"})
CONFOUNDERS = ["Plate only", "Well position only", "Cell count only"]
ORACLES = ["Oracle (phenotype)", "Oracle (mechanism)"]
KINDS = ("field", "compound")


@pytest.fixture(scope="module")
def screen():
    """Inputs of ``gather_methods`` by argument: 20 compounds on two plates, two models, all that makes methods."""
    generator = np.random.default_rng(0)
    fields = pd.DataFrame(
        {"plate": f"P{plate}", "well": f"A{i + 1:02d}", "number": i} for plate in range(PLATES) for i in range(N)
    )
    examples = make_examples(fields, ["train"] * 10 + ["validation"] * 4 + ["test"] * 6)
    ids, keys = examples["field_id"].to_numpy(str), np.array([inchikey(i) for i in range(N)])

    def embeddings(keys, **meta):
        meta = {"split_hash": examples["split_hash"].iloc[0], **meta}
        return Embeddings(keys, unit(generator.normal(size=(len(keys), 4))), meta)

    truth = fields[["plate", "well"]].assign(compound_id=None, mechanism="m", potency=1.0)
    controls = fields.assign(
        field_id=[f"s/{plate}/P{i + 1:02d}/1" for i, plate in enumerate(fields["plate"])], control=True
    )
    return {
        "study": STUDY,
        "corrections": CorrectionParameters(),
        "fields": pd.concat([examples.assign(control=False), controls], ignore_index=True),
        "examples": examples,
        "field_profiles": pd.DataFrame({"field_id": ids, "size": generator.normal(size=len(ids))}),
        "cell_counts": pd.DataFrame({"field_id": ids, "nuclei": generator.poisson(9, len(ids)).astype(float)}),
        "truth": schemas.truth.validate(truth.assign(phenotype_0=0.5, realised_0=fields["number"] / 10)),
        "one_fields": embeddings(ids, weights="1"),
        "one_compounds": embeddings(keys, weights="1"),
        "two_fields": embeddings(ids, weights="2", learned=False, normalised=False),
        "two_compounds": embeddings(keys, weights="2"),
        "untrained": embeddings(ids, weights="untrained"),
    }


def with_meta(embeddings, **meta):
    return dataclasses.replace(embeddings, meta={**embeddings.meta, **meta})


def test_all_methods_are_gathered_models_first_in_the_order_of_the_study(screen):
    methods = gather_methods(**screen)
    assert list(methods) == ["First", "Second", "Profiles", "Untrained", *CONFOUNDERS, *ORACLES]
    everything = (RETRIEVAL, *ZERO_SHOT, PROBING)
    tasks = {name: method.tasks for name, method in methods.items()}
    assert tasks["First"] == everything
    assert tasks["Second"] == (RETRIEVAL,), "what it knows of fields is not learned"
    assert {tasks[name] for name in ORACLES} == {(RETRIEVAL,)}
    assert {tasks[name] for name in ("Profiles", "Untrained", *CONFOUNDERS)} == {(*ZERO_SHOT, PROBING)}
    assert {name for name, method in methods.items() if method.ties == "random"} == {*CONFOUNDERS, *ORACLES}
    assert {name for name, method in methods.items() if method.normalised} == {"First", "Untrained", *CONFOUNDERS}
    assert methods["First"].fields is screen["one_fields"]
    assert methods["Second"].compounds is screen["two_compounds"]


def test_the_pipeline_gives_each_argument_its_dataset(screen):
    """The order in which Kedro hands over embeddings is that of the wiring."""
    datasets = {
        **{"params:study": "study", "scaffold.examples": "examples", "scaffold.one.untrained_embeddings": "untrained"},
        **{"params:corrections": "corrections", "fields": "fields"},
        **{f"scaffold.{model}.{kind}_embeddings": f"{model}_{kind}s" for model in STUDY.models for kind in KINDS},
        **{name: name for name in ("field_profiles", "cell_counts", "truth")},
    }
    pipeline = create_methods_pipeline("scaffold", list(STUDY.models), "scaffold", untrained="one")
    assert pipeline.inputs() == set(datasets)
    (node,) = pipeline.nodes
    assert node.name == "scaffold.models.gather_methods"
    found = run_pipeline(pipeline, {name: screen[argument] for name, argument in datasets.items()})["scaffold.methods"]
    expected = gather_methods(**screen)
    assert list(found) == list(expected)
    for name, method in found.items():
        np.testing.assert_array_equal(method.fields.vectors, expected[name].fields.vectors)


def test_a_tuned_model_is_evaluated_alone(screen):
    pipeline = create_methods_pipeline("scaffold", ["two"], "scaffold_tuned")
    embeddings = {f"scaffold_tuned.two.{kind}_embeddings": screen[f"two_{kind}s"] for kind in KINDS}
    shared = {"params:study": "study", "params:corrections": "corrections", "scaffold.examples": "examples"}
    inputs = {name: screen[argument] for name, argument in {**shared, "fields": "fields"}.items()} | embeddings
    assert pipeline.inputs() == set(inputs)
    found = run_pipeline(pipeline, inputs)
    assert list(found["scaffold_tuned.methods"]) == ["Second"]


def test_what_a_screen_lacks_makes_no_method(screen, caplog):
    empty = {name: screen[name].iloc[:0] for name in ("field_profiles", "cell_counts", "truth")}
    arguments = {name: value for name, value in screen.items() if name != "untrained"}
    methods = gather_methods(**{**arguments, **empty})
    assert list(methods) == ["First", "Second", "Plate only", "Well position only"]
    assert "no field has a profile: the method Profiles is left out" in caplog.text
    assert "have no cell count" in caplog.text


def test_corrected_methods_follow_the_others(screen):
    """Controls have embeddings by the models, and profiles; the second model compares its inputs in retrieval only."""
    fields = screen["fields"]
    generator = np.random.default_rng(1)
    ids = fields["field_id"].to_numpy(str)
    more = {
        name: dataclasses.replace(screen[name], keys=ids, vectors=unit(generator.normal(size=(len(ids), 4))))
        for name in ("one_fields", "two_fields")
    }
    profiles = pd.DataFrame({"field_id": ids, "size": generator.normal(size=len(ids))})
    corrections = CorrectionParameters.model_validate(
        {"use": ["robust_z", {"name": "sphering", "regularisation": 0.1}]}
    )
    methods = gather_methods(**{**screen, **more, "field_profiles": profiles, "corrections": corrections})
    corrected = ["First, robust z", "First, sphered", "Second, sphered", "Profiles, robust z", "Profiles, sphered"]
    usual = ["First", "Second", "Profiles", "Untrained", *CONFOUNDERS, *ORACLES]
    assert list(methods) == [*usual, *corrected]
    assert methods["First, sphered"].tasks == (RETRIEVAL, *ZERO_SHOT)
    check_methods(methods, screen["examples"])
    without = gather_methods(**{**screen, **more, "field_profiles": profiles})
    for name in usual:
        np.testing.assert_array_equal(
            methods[name].unit_fields(screen["examples"]["field_id"]),
            without[name].unit_fields(screen["examples"]["field_id"]),
        )
    results = {
        "ranks": rank_matches(methods, screen["examples"], RetrievalParameters(draws=1), 0),
        "examples": screen["examples"],
        "study": STUDY,
        "seed": 0,
        "corrections": corrections,
    }
    ranks = results.pop("ranks")
    _, differences = summarise_retrieval(ranks, retrieval=RetrievalParameters(draws=1), **results)
    compared = set(differences[["method", "against"]].itertuples(index=False, name=None))
    assert compared == {
        ("First", "method Second"),
        *(("First", f"method {name}") for name in ORACLES),
        *((f"{name}, sphered", f"method {name}") for name in ("First", "Second")),
    }
    _, _, differences = classify_fields(methods, zero_shot=ZeroShotParameters(draws=1), **results)
    compared = set(differences[["method", "against"]].itertuples(index=False, name=None))
    assert {(name, f"method {name.partition(',')[0]}") for name in corrected if "Second" not in name} <= compared
    assert ("First", "method First, sphered") not in compared


def test_a_model_that_the_study_does_not_list_is_refused(screen):
    study = StudyParameters(screen="s", simulated=True, models={"one": "First"})
    with pytest.raises(KeyError, match="two"):
        gather_methods(**{**screen, "study": study})


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("one_fields", "fields of First"),
        ("one_compounds", "compounds of First"),
        ("two_fields", "fields of Second"),
        ("untrained", "fields of the untrained encoder"),
    ],
)
def test_embeddings_of_other_folds_are_refused(screen, name, what):
    folds = screen["examples"]["split_hash"].iloc[0]
    other = with_meta(screen[name], split_hash="0123456789abcdef")
    message = (
        f"scaffold split: the {what} are embedded by a model that was trained on folds 0123456789abcdef, but the split "
        f"has folds {folds}. The model may have been trained on test compounds"
    )
    with pytest.raises(ValueError, match=message):
        gather_methods(**{**screen, name: other})


def test_a_published_model_is_let_through_with_a_warning(screen, caplog):
    unknown = {name: with_meta(screen[name], split_hash="unknown") for name in ("one_fields", "one_compounds")}
    methods = gather_methods(**{**screen, **unknown})
    np.testing.assert_array_equal(methods["First"].fields.vectors, screen["one_fields"].vectors)
    for what in ("FIELDS OF FIRST", "COMPOUNDS OF FIRST"):
        assert f"THE {what} ARE EMBEDDED BY A PUBLISHED MODEL WHOSE TRAINING COMPOUNDS ARE NOT KNOWN" in caplog.text
    assert "SECOND" not in caplog.text


def test_fields_and_compounds_of_two_models_are_refused(screen):
    with pytest.raises(
        ValueError, match="First, scaffold split: fields are embedded by the model other, but compounds by the model 1"
    ):
        gather_methods(**{**screen, "one_fields": with_meta(screen["one_fields"], weights="other")})


@pytest.mark.parametrize(("name", "first"), [("one_fields", "s/P1/A20/0"), ("one_compounds", inchikey(N - 1))])
def test_a_missing_embedding_is_named(screen, name, first, caplog):
    whole = screen[name]
    fewer = Embeddings(whole.keys[:-1], whole.vectors[:-1], whole.meta)
    with pytest.raises(ValueError, match=rf"1 of \d+ .* of First have no embedding, the first is {first}: run the emb"):
        gather_methods(**{**screen, name: fewer})
    gather_methods(**{**screen, name: with_meta(fewer, without_input=1)})
    assert f"the first is {first}: the model's view has no input for them, so they are left out" in caplog.text


@pytest.mark.parametrize("name", ["one_fields", "one_compounds", "untrained"])
def test_methods_that_were_gathered_for_other_folds_are_refused(screen, name):
    """Folds can be drawn anew after methods were gathered, and evaluations then be run alone."""
    examples = screen["examples"]
    other = with_meta(screen[name], split_hash="0123456789abcdef")
    methods = gather_methods(**screen)
    check_methods(methods, examples)
    label, part = {"untrained": ("Untrained", "fields")}.get(name, ("First", name.removeprefix("one_")))
    stale = {**methods, label: dataclasses.replace(methods[label], **{part: other})}
    with pytest.raises(
        ValueError,
        match=f"scaffold split: the {part} of {label} are embedded by a model that was trained on folds 0123",
    ):
        check_methods(stale, examples)


def test_every_evaluation_refuses_methods_of_other_folds(screen):
    methods = gather_methods(**screen)
    arguments = {"methods": methods, "examples": screen["examples"].assign(split_hash="0123456789abcdef"), "seed": 0}
    probing = ProbingParameters(c_grid=[1])
    corrupted = {
        "corruption_stores": None,
        "study": STUDY,
        "corruption": CorruptionParameters(names=["random_flip"], chosen="random_flip"),
    }
    labels = schemas.empty(schemas.labels)
    calls = (
        (rank_matches, {"retrieval": RetrievalParameters()}),
        (classify_fields, {"study": STUDY, "zero_shot": ZeroShotParameters()}),
        (probe_assays, {"study": STUDY, "labels": labels, "probing": probing}),
        (rank_corrupted, {**corrupted, "retrieval": RetrievalParameters(), "zero_shot": ZeroShotParameters()}),
        (probe_corrupted, {**corrupted, "labels": labels, "probing": probing}),
    )
    for evaluate, own in calls:
        with pytest.raises(
            ValueError, match=r"fields of First are embedded by .* trained on folds .* on test compounds"
        ):
            evaluate(**arguments, **own)


def test_a_published_model_is_evaluated_on_any_folds(screen, caplog):
    """It was warned of when methods were gathered."""
    unknown = {name: with_meta(screen[name], split_hash="unknown") for name in ("one_fields", "one_compounds")}
    methods = {"First": gather_methods(**{**screen, **unknown})["First"]}
    caplog.clear()
    check_methods(methods, screen["examples"].assign(split_hash="0123456789abcdef"))
    assert not caplog.records


# ---- results


def results(examples, task="retrieval", split_hash=None):
    """Tables ``metrics`` and ``differences`` of a task."""
    keys = examples["inchikey"].unique()
    ranks = pd.DataFrame(
        {
            **{"split": "scaffold", "task": task, "method": "First", "images": "clean", "direction": None},
            **{"pool": "full", "shown_by": "field", "excluded": "none", "draw": 0, "candidates": len(keys)},
            **{"query": keys, "match": keys, "compound": keys, "rank": 1},
        }
    )
    folds = split_hash or examples["split_hash"].iloc[0]
    differences = compare_ranks(ranks, ranks.assign(method="Second", rank=2), "method Second", Summary())
    tables = summarise_ranks(ranks, Summary()), differences
    return [
        schema.validate(table.assign(split_hash=folds))
        for schema, table in zip((schemas.metrics, schemas.differences), tables, strict=True)
    ]


@pytest.fixture(scope="module")
def tables(screen):
    """Arguments of ``join_results``: retrieval has results, zero-shot classification was not run, probing has some."""
    retrieval, probing = results(screen["examples"]), results(screen["examples"], "probing")
    return {
        "retrieval_metrics": retrieval[0],
        "retrieval_differences": retrieval[1],
        "zero_shot_metrics": schemas.empty(schemas.metrics),
        "zero_shot_differences": schemas.empty(schemas.differences),
        "probing_metrics": probing[0],
        "probing_differences": probing[1],
    }


def test_results_of_all_tasks_are_joined(screen, tables, caplog):
    metrics, differences = join_results(screen["examples"], **tables)
    expected = pd.concat([tables["retrieval_metrics"], tables["probing_metrics"]], ignore_index=True)
    pd.testing.assert_frame_equal(schemas.metrics.validate(metrics), expected)
    assert schemas.differences.validate(differences)["task"].unique().tolist() == ["retrieval", "probing"]
    assert not caplog.records


def test_results_of_other_folds_are_left_out_with_a_warning(screen, tables, caplog):
    stale = results(screen["examples"], "zero-shot MoA", "0123456789abcdef")
    tables = {**tables, "zero_shot_metrics": stale[0], "zero_shot_differences": stale[1]}
    metrics, differences = join_results(screen["examples"], **tables)
    assert set(metrics["task"]) == set(differences["task"]) == {"retrieval", "probing"}
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [
        f"zero_shot_{kind} was computed with other folds and is left out: run its pipeline again"
        for kind in ("metrics", "differences")
    ]


def test_without_any_result_the_tables_are_empty(screen, tables):
    none = {name: table.iloc[:0] for name, table in tables.items()}
    metrics, differences = join_results(screen["examples"], **none)
    assert schemas.metrics.validate(metrics).empty
    assert schemas.differences.validate(differences).empty


def test_the_join_reads_the_tables_of_every_task(screen, tables):
    tasks = ["retrieval", "zero_shot", "probing"]
    pipeline = create_join_pipeline("scaffold", tasks, "scaffold_tuned")
    assert pipeline.inputs() == {"scaffold.examples", *(f"scaffold_tuned.{name}" for name in tables)}
    named = {f"scaffold_tuned.{name}": table for name, table in tables.items()}
    found = run_pipeline(pipeline, {"scaffold.examples": screen["examples"], **named})
    assert set(found) == {"scaffold_tuned.metrics", "scaffold_tuned.differences"}
    assert len(found["scaffold_tuned.metrics"]) == len(tables["retrieval_metrics"]) + len(tables["probing_metrics"])
    (node,) = pipeline.nodes
    assert node.name == "scaffold_tuned.evaluation.join_results"
