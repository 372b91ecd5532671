"""The zero-shot pipeline on a small planted screen, with the methods that are gathered for it."""

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.evaluation.confounders import confounder_vectors
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.evaluation.zero_shot import zero_shot_ranks
from cloome_kedro.parameters import CorrectionParameters, StudyParameters, ZeroShotParameters
from cloome_kedro.pipelines.evaluation import create_methods_pipeline
from cloome_kedro.pipelines.zero_shot import create_pipeline
from cloome_kedro.pipelines.zero_shot.nodes import classify_fields
from planted_examples import inchikey, make_examples, run_pipeline, unit

N, PLATES, MECHANISMS = 120, 4, 6
STUDY = StudyParameters(screen="s", simulated=False, models={"cloome": "CLOOME"})
METHODS = {"CLOOME", "Profiles", "Untrained", "Plate only", "Well position only", "Cell count only"}
TABLES = {"ranks": schemas.ranks, "metrics": schemas.metrics, "differences": schemas.differences}


@pytest.fixture(scope="module")
def screen():
    """120 compounds of six mechanisms (a few of none), a field on each of four plates, 60 compounds in the test fold.

    The model sees the mechanism well, profiles see it, the untrained encoder hardly; counts of nuclei tell a little.
    """
    generator = np.random.default_rng(0)
    number = np.arange(N)
    mechanism = number % MECHANISMS
    fields = pd.concat(
        [pd.DataFrame({"plate": f"P{plate}", "number": number}) for plate in range(PLATES)], ignore_index=True
    )
    # A compound's well is another on every plate.
    wells = np.concatenate([generator.permutation(N) for _ in range(PLATES)])
    fields["well"] = [f"{chr(65 + well // 24)}{well % 24 + 1:02d}" for well in wells]
    moa = [f"mechanism {m}" if i % 10 else None for i, m in enumerate(mechanism)]
    examples = make_examples(fields, np.where(number < 60, "test", "train"), moa=moa)
    of_mechanism, of_compound = generator.normal(size=(MECHANISMS, 12)), generator.normal(size=(N, 12))
    signal = of_mechanism[mechanism[fields["number"]]] + 0.7 * of_compound[fields["number"]]
    noise = generator.normal(size=(3, len(fields), 12))
    meta = {"split_hash": examples["split_hash"].iloc[0]}
    profiles = pd.DataFrame(5 + 3 * (signal + 1.5 * noise[1])).add_prefix("feature_")
    ids, keys = examples["field_id"].to_numpy(str), np.array([inchikey(i) for i in number])
    return {
        "scaffold.cloome.field_embeddings": Embeddings(ids, unit(signal + 0.5 * noise[0]), meta),
        "scaffold.cloome.compound_embeddings": Embeddings(keys, unit(of_compound), meta),
        "scaffold.cloome.untrained_embeddings": Embeddings(ids, unit(signal + 5 * noise[2]), meta),
        "field_profiles": profiles.assign(field_id=ids),
        "cell_counts": pd.DataFrame({"field_id": ids, "nuclei": generator.poisson(30.0 + 9 * (fields["number"] % 6))}),
        "truth": schemas.empty(schemas.truth),
        "scaffold.examples": examples,
        "fields": examples.assign(control=False),
        "params:study": STUDY,
        "params:corrections": CorrectionParameters(),
        "params:zero_shot": ZeroShotParameters(draws=2),
        "params:seed": 0,
    }


def run(inputs):
    """Gather methods and classify; give the methods, and the tables by kind."""
    pipeline = create_methods_pipeline("scaffold", ["cloome"], "scaffold", untrained="cloome")
    found = run_pipeline(pipeline + create_pipeline("scaffold", "scaffold"), inputs)
    tables = {name: schema.validate(found[f"scaffold.zero_shot_{name}"]) for name, schema in TABLES.items()}
    return {"methods": found["scaffold.methods"], **tables}


@pytest.fixture(scope="module")
def outputs(screen):
    return run(screen)


def test_every_method_and_protocol_is_there(screen, outputs):
    ranks, metrics = outputs["ranks"], outputs["metrics"]
    assert set(ranks["method"]) == METHODS
    assert set(metrics["method"]) == {*METHODS, "Random"}
    assert set(ranks["draw"]) == {0}
    assert set(metrics["draws"]) == {1, 2}
    assert set(metrics["split"]) == {"scaffold"}
    assert set(metrics["split_hash"]) == set(screen["scaffold.examples"]["split_hash"])
    found = set(metrics[["task", "pool", "excluded"]].itertuples(index=False, name=None))
    # On a plate, a compound has no second field.
    expected = {("zero-shot compound", "full", keys) for keys in ("none", "well", "plate")}
    expected |= {("zero-shot MoA", "full", keys) for keys in ("none", "well", "plate", "compound", "plate+compound")}
    expected.add(("zero-shot MoA", "same plate", "well"))
    assert found == expected
    setting = ["task", "method", "pool", "excluded", "draws", "metric"]
    assert not metrics.duplicated(setting).any()


def test_ranks_are_those_of_the_library(screen, outputs):
    fields = screen["scaffold.examples"].query("fold == 'test'").rename(columns={"moa": "label"})
    fields = fields.dropna(subset="label", ignore_index=True)
    vectors = screen["scaffold.cloome.field_embeddings"].of(fields["field_id"])
    expected = zero_shot_ranks(vectors, vectors, fields, ("plate", "compound"))
    setting = "task == 'zero-shot MoA' and excluded == 'plate+compound' and method == 'CLOOME'"
    found = outputs["ranks"].query(setting).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)
    examples = screen["scaffold.examples"]
    counts = confounder_vectors(examples, screen["cell_counts"])["Cell count only"]
    counts = counts[examples.set_index("field_id").index.get_indexer(fields["field_id"])]
    expected = zero_shot_ranks(counts, counts, fields, ties="random")
    setting = "task == 'zero-shot MoA' and excluded == 'none' and pool == 'full' and method == 'Cell count only'"
    found = outputs["ranks"].query(setting).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False)


def test_metrics_find_what_was_planted(outputs):
    metrics = outputs["metrics"].query("metric == 'top-1' and draws == 1 and pool == 'full'")
    metrics = metrics.set_index(["task", "excluded", "method"]).sort_index()
    for excluded in ("none", "plate+compound"):
        of_task = metrics.loc["zero-shot MoA", excluded]
        assert of_task.loc["CLOOME", "low"] > of_task.loc["Untrained", "high"]
        assert of_task.loc["Profiles", "low"] > of_task.loc["Random", "value"]
        assert of_task.loc["Random", "value"] == pytest.approx(1 / MECHANISMS)
        for method in ("Plate only", "Well position only"):
            assert of_task.loc[method, "low"] < 1 / MECHANISMS < of_task.loc[method, "high"], method
    assert metrics.loc["zero-shot compound", "none"].loc["CLOOME", "low"] > 0.2
    assert metrics.loc["zero-shot compound", "none"].loc["Random", "value"] == pytest.approx(1 / 60)
    # A compound's fields are all on different plates: its own is where it is not.
    assert metrics.loc["zero-shot compound", "none"].loc["Plate only", "value"] == 0


def test_differences_say_what_an_exclusion_costs(outputs):
    differences = outputs["differences"].query("metric == 'top-1' and task == 'zero-shot MoA'")
    assert set(differences["against"]) == {
        "excluded none", "pool full", *(f"method {method}" for method in METHODS - {"CLOOME"})
    }  # fmt: skip
    leaks = differences.query("against == 'excluded none' and pool == 'full'").set_index(["method", "excluded"])
    assert (leaks.loc[[("Plate only", key) for key in ("well", "compound")], "difference"].abs() < 0.1).all()
    compound = leaks.loc[("CLOOME", "compound")]
    assert compound["high"] < 0, "references of the same compound help"
    assert compound["difference"] < leaks.loc[("CLOOME", "well"), "difference"]
    others = differences[differences["against"].str.startswith("method")]
    assert set(others["method"]) == {"CLOOME"}
    assert set(others["excluded"]) == {"none", "plate+compound"}
    assert (others.query("against == 'method Untrained'")["low"] > 0).all()


def test_classes_shown_by_means_are_found_better(screen, outputs):
    parameters = ZeroShotParameters(shown_by=["mean"], exclude=[[]], same_plate=False)
    metrics = run({**screen, "params:zero_shot": parameters})["metrics"]
    assert set(metrics["draws"]) == {1}
    setting = (
        "metric == 'top-1' and draws == 1 and method == 'CLOOME' and task == 'zero-shot MoA' and excluded == 'none'"
    )
    by_mean, by_field = metrics.query(setting), outputs["metrics"].query(setting + " and pool == 'full'")
    assert by_mean["low"].item() > by_field["high"].item()
    assert by_mean["n"].item() == 4 * 54


QUICK = ZeroShotParameters(draws=1, exclude=[[]], same_plate=False)


def test_fields_without_a_profile_are_asked_of_the_others_only(screen, caplog):
    screen = {**screen, "params:zero_shot": QUICK}
    of_test = screen["scaffold.examples"].query("fold == 'test'")["field_id"].head(7)
    profiles = screen["field_profiles"]
    some = run({**screen, "field_profiles": profiles[~profiles["field_id"].isin(of_test)]})["metrics"]
    assert "scaffold split: 7 of 480 fields have no profile" in caplog.text
    n = some.query("draws == 1 and metric == 'top-1' and task == 'zero-shot compound' and excluded == 'none'")
    n = n.set_index("method")["n"]
    assert n["CLOOME"] == 180
    assert n["Profiles"] == 173
    assert n["Random"] == 180
    nothing = run({**screen, "field_profiles": profiles[:0], "cell_counts": screen["cell_counts"][:0]})
    assert set(nothing["ranks"]["method"]) == METHODS - {"Profiles", "Cell count only"}
    assert "have no cell count" in caplog.text


def test_several_mechanisms_are_a_class_of_their_own(screen, outputs, caplog):
    both = [inchikey(0), inchikey(1)]
    examples = screen["scaffold.examples"].assign(
        moa=lambda table: table["moa"].mask(table["inchikey"].isin(both), "mechanism 0|mechanism 1")
    )
    ranks, _, _ = classify_fields(outputs["methods"], examples, STUDY, QUICK, 0)
    assert "scaffold split: 2 compounds have several mechanisms" in caplog.text
    ranks = ranks.query("task == 'zero-shot MoA' and method == 'CLOOME'")
    assert set(ranks["candidates"]) == {MECHANISMS + 1}
    assert set(ranks.loc[ranks["compound"].isin(both), "match"]) == {"mechanism 0|mechanism 1"}


def test_a_screen_that_cannot_answer_gets_empty_tables_and_a_warning(screen, outputs, caplog):
    single = screen["scaffold.examples"].drop_duplicates("inchikey", ignore_index=True).assign(moa=None)
    found = classify_fields(outputs["methods"], single, STUDY, QUICK, 0)
    assert all(table.empty for table in found)
    for table, schema in zip(found, TABLES.values(), strict=True):
        schema.validate(table)
    assert "scaffold split: zero-shot compound is left out" in caplog.text
    assert "scaffold split: zero-shot MoA is left out" in caplog.text


def test_a_model_that_learns_nothing_of_fields_is_not_asked(screen):
    name = "scaffold.cloome.field_embeddings"
    fixed = Embeddings(screen[name].keys, screen[name].vectors, {**screen[name].meta, "learned": False})
    found = run({**screen, name: fixed, "params:zero_shot": QUICK})
    assert set(found["ranks"]["method"]) == METHODS - {"CLOOME"}
    assert set(found["differences"]["method"]) == {"Profiles"}, "the first that is asked stands first"


def test_an_empty_fold_is_named(screen, outputs):
    examples = screen["scaffold.examples"].replace({"fold": {"test": "train"}})
    with pytest.raises(ValueError, match="examples: no compound of the test fold has a field"):
        classify_fields(outputs["methods"], examples, STUDY, QUICK, 0)


def test_parameters_are_typed_for_kedro():
    pipeline = create_pipeline("random", "random_tuned")
    types = TypeExtractor({"zero_shot": pipeline}).extract_types_from_pipelines()
    assert types == {
        "study": StudyParameters,
        "zero_shot": ZeroShotParameters,
        "corrections": CorrectionParameters,
    }
    assert pipeline.inputs() == {
        "random_tuned.methods",
        "random.examples",
        "params:study",
        "params:zero_shot",
        "params:corrections",
        "params:seed",
    }
    assert pipeline.outputs() == {f"random_tuned.zero_shot_{name}" for name in TABLES}
