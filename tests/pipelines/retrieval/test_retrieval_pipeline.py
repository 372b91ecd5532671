"""The retrieval pipeline on a small planted screen, with the methods that are gathered for it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.parameters import CorrectionParameters, RetrievalParameters, StudyParameters
from cloome_kedro.pipelines.evaluation import create_methods_pipeline
from cloome_kedro.pipelines.retrieval import create_pipeline
from cloome_kedro.pipelines.retrieval.nodes import rank_matches, summarise_retrieval
from cloome_kedro.words import COMPOUND_TO_IMAGE, DIRECTIONS, IMAGE_TO_COMPOUND
from planted_examples import inchikey, make_examples, run_pipeline, unit

N, REPLICATES, DRAWS = 400, 3, 3
ORACLES = {"Oracle (phenotype)", "Oracle (mechanism)"}
STUDY = StudyParameters(screen="s", simulated=True, models={"cloome": "CLOOME", "bilinear": "Bilinear"})


@pytest.fixture(scope="module")
def screen():
    """400 compounds, three fields each, 150 of them in the test fold; fields are noisy copies of structures."""
    generator = np.random.default_rng(0)
    wells = [f"{chr(65 + i // 24)}{i % 24 + 1:02d}" for i in range(N)]
    fields = pd.DataFrame(
        {"plate": f"P{plate}", "well": well, "number": number}
        for plate in range(REPLICATES)
        for number, well in enumerate(wells)
    )
    examples = make_examples(fields, ["train"] * 200 + ["validation"] * 50 + ["test"] * 150)
    latent = generator.normal(size=(N, 16)).astype(np.float32)
    noisy = latent[fields["number"]] + generator.normal(0, 0.5, (len(fields), 16)).astype(np.float32)
    meta = {"split_hash": examples["split_hash"].iloc[0], "weights": "w"}
    phenotypes = pd.DataFrame(latent[fields["number"]][:, :3].astype(float)).add_prefix("phenotype_")
    realised = phenotypes.set_axis(["realised_0", "realised_1", "realised_2"], axis=1)
    truth = pd.concat(
        [
            fields[["plate", "well"]].assign(
                compound_id="c" + fields["number"].astype(str),
                mechanism="m" + (fields["number"] % 10).astype(str),
                potency=1.0,
            ),
            phenotypes,
            realised + generator.normal(0, 0.2, realised.shape),
        ],
        axis=1,
    )
    keys = np.array([inchikey(i) for i in range(N)])
    return {
        "scaffold.cloome.field_embeddings": Embeddings(examples["field_id"].to_numpy(str), unit(noisy), meta),
        "scaffold.cloome.compound_embeddings": Embeddings(keys, unit(latent), meta),
        "scaffold.examples": examples,
        "field_profiles": schemas.empty(schemas.field_profiles),
        "cell_counts": schemas.empty(schemas.cell_counts),
        "truth": schemas.truth.validate(truth),
        "fields": examples.assign(control=False),
        "params:study": STUDY,
        "params:corrections": CorrectionParameters(),
        "params:retrieval": RetrievalParameters(draws=DRAWS),
        "params:seed": 0,
    }


@pytest.fixture(scope="module")
def baseline(screen):
    """A second model, not normalised, whose fields are their compounds without any noise."""
    compounds = screen["scaffold.cloome.compound_embeddings"]
    meta = {**compounds.meta, "weights": "b", "normalised": False, "learned": False}
    fields = compounds.of(screen["scaffold.examples"]["inchikey"])
    return {
        "scaffold.bilinear.field_embeddings": Embeddings(
            screen["scaffold.examples"]["field_id"].to_numpy(str), fields, meta
        ),
        "scaffold.bilinear.compound_embeddings": dataclasses.replace(compounds, meta=meta),
    }


def run(inputs):
    """Gather methods, rank and summarise; give the tables without the split in their names."""
    models = [name for name in STUDY.models if f"scaffold.{name}.field_embeddings" in inputs]
    pipeline = create_methods_pipeline("scaffold", models, "scaffold") + create_pipeline("scaffold", "scaffold")
    return {name.removeprefix("scaffold."): value for name, value in run_pipeline(pipeline, inputs).items()}


@pytest.fixture(scope="module")
def outputs(screen):
    return run(screen)


def test_tables_have_their_schemas(outputs):
    schemas.ranks.validate(outputs["retrieval_ranks"])
    schemas.metrics.validate(outputs["retrieval_metrics"])
    schemas.differences.validate(outputs["retrieval_differences"])
    for table in ("ranks", "metrics", "differences"):
        assert set(outputs[f"retrieval_{table}"]["split"]) == {"scaffold"}


def test_queries_are_one_field_of_each_test_compound_for_every_method(screen, outputs):
    ranks = outputs["retrieval_ranks"].query("shown_by == 'field'").reset_index(drop=True)
    assert set(ranks.query("pool != 'same plate'")["candidates"]) == {100, 150}
    test_keys = set(screen["scaffold.examples"].query("fold == 'test'")["inchikey"])
    columns = ["direction", "pool", "draw", "candidates", "query", "match", "compound"]
    by_method = dict(iter(ranks.groupby("method")))
    assert set(by_method) == {"CLOOME", *ORACLES}
    for method, table in by_method.items():
        assert len(table) == (4 * DRAWS + 2) * 150, method
        pd.testing.assert_frame_equal(
            table[columns].reset_index(drop=True), by_method["CLOOME"][columns].reset_index(drop=True)
        )
    compound_of = screen["scaffold.examples"].set_index("field_id")["inchikey"]
    by_images = ranks.query(f"method == 'CLOOME' and direction == '{IMAGE_TO_COMPOUND}' and pool == 'full'")
    for _, by_image in by_images.groupby("draw"):
        assert set(by_image["match"]) == test_keys
        assert (compound_of.loc[by_image["query"]].to_numpy() == by_image["match"].to_numpy()).all()


def test_the_mean_of_all_fields_is_ranked_beside_single_ones(screen, outputs):
    """Full-pool ranks of compounds' means, recomputed by pandas."""
    images, structures = (screen[f"scaffold.cloome.{kind}_embeddings"] for kind in ("field", "compound"))
    ours = outputs["retrieval_ranks"].query("method == 'CLOOME'")
    rows = ours.query("shown_by == 'mean' and pool == 'full'")
    assert set(rows["draw"]) == {0}
    by_image = rows[rows["direction"] == IMAGE_TO_COMPOUND]
    fields = screen["scaffold.examples"]
    means = pd.DataFrame(images.of(fields["field_id"])).groupby(fields["inchikey"].to_numpy()).mean()
    scores = unit(means.loc[by_image["query"]].to_numpy()) @ structures.of(by_image["match"]).T
    np.testing.assert_array_equal(by_image["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))
    by_structure = rows[rows["direction"] == COMPOUND_TO_IMAGE]
    np.testing.assert_array_equal(by_structure["rank"], 1 + (scores > np.diag(scores)).sum(0))
    single_field = ours.query("shown_by == 'field' and pool == 'full'")
    assert rows["rank"].mean() < single_field["rank"].mean(), "more of a compound's fields tell more"
    sampled = ours.query("shown_by == 'mean' and pool == 'sampled'")
    assert sampled.groupby("draw").size().tolist() == [300] * DRAWS


def single(metrics):
    return metrics.query("draws == 1 and shown_by == 'field'").set_index(["method", "direction", "pool", "metric"])


def test_metrics_find_what_was_planted(screen, outputs):
    metrics = single(outputs["retrieval_metrics"])
    assert metrics.index.is_unique
    assert (outputs["retrieval_metrics"]["n"] == 150).all()
    assert set(metrics["split_hash"]) == set(screen["scaffold.examples"]["split_hash"])
    for direction in DIRECTIONS:
        assert metrics.loc[("CLOOME", direction, "sampled", "top-1"), "low"] > 0.5
        assert metrics.loc[("Oracle (phenotype)", direction, "sampled", "top-1"), "low"] > 0.3
        # The only one of about ten compounds of the mechanism among 100: one in ten.
        mechanism = metrics.loc[("Oracle (mechanism)", direction, "sampled", "top-1")]
        assert mechanism["low"] < 0.1 < mechanism["high"]
        assert metrics.loc[("Random", direction, "sampled", "top-1"), "value"] == 0.01


def test_draws_are_averaged(outputs):
    of_field = "method == 'CLOOME' and shown_by == 'field'"
    metrics = outputs["retrieval_metrics"].query(f"{of_field} and metric == 'top-1'")
    ranks = outputs["retrieval_ranks"].query(of_field)
    keys = ["direction", "pool"]
    by_draw = (ranks["rank"] == 1).groupby([ranks["direction"], ranks["pool"], ranks["draw"]]).mean().unstack()
    averaged = metrics[metrics["draws"] == DRAWS].set_index(keys)
    assert len(averaged) == 4
    np.testing.assert_allclose(averaged["value"], by_draw.loc[averaged.index].mean(axis=1))
    np.testing.assert_allclose(averaged["spread"], by_draw.loc[averaged.index].std(axis=1))
    alone = metrics[metrics["draws"] == 1].set_index(keys)
    np.testing.assert_allclose(alone["value"], by_draw.loc[alone.index][0])


def test_a_sampling_rate_says_how_many_candidates(screen, outputs):
    rate = RetrievalParameters(candidates=None, sampling_rate=0.01, draws=DRAWS)
    same = run({**screen, "params:retrieval": rate})
    pd.testing.assert_frame_equal(same["retrieval_ranks"], outputs["retrieval_ranks"])
    for wrong in ({"sampling_rate": 0.01}, {"candidates": None}):
        with pytest.raises(ValueError, match="give either candidates or sampling_rate"):
            RetrievalParameters.model_validate(wrong)


def test_a_second_model_stands_beside_the_first_on_the_same_queries(screen, baseline, outputs):
    with_baseline = run({**screen, **baseline})
    ranks = with_baseline["retrieval_ranks"]
    for method, table in outputs["retrieval_ranks"].groupby("method"):
        again = ranks[ranks["method"] == method].reset_index(drop=True)
        pd.testing.assert_frame_equal(again, table.reset_index(drop=True))
    metrics, differences = with_baseline["retrieval_metrics"], with_baseline["retrieval_differences"]
    assert set(metrics["method"]) == {*outputs["retrieval_metrics"]["method"], "Bilinear"}
    assert (metrics.query("method == 'Bilinear' and metric == 'top-1'")["value"] == 1).all()
    to_baseline = differences[differences["against"] == "method Bilinear"]
    assert set(to_baseline["method"]) == {"CLOOME"}
    keys = ["direction", "pool", "shown_by", "metric"]
    ours = outputs["retrieval_metrics"].query("method == 'CLOOME'").sort_values("draws", ascending=False)
    ours = ours.drop_duplicates(keys).set_index(keys)["value"]
    assert len(to_baseline) == (3 + 2) * 2 * 3
    np.testing.assert_allclose(
        to_baseline["difference"], ours.loc[pd.MultiIndex.from_frame(to_baseline[keys])] - 1, atol=1e-12
    )
    assert set(differences["against"]) == {f"method {name}" for name in ("Bilinear", *ORACLES)}


def test_a_model_is_not_asked_about_compounds_that_it_does_not_know(screen, baseline):
    name = "scaffold.bilinear.compound_embeddings"
    known = baseline[name]
    fewer = Embeddings(known.keys[:-1], known.vectors[:-1], {**known.meta, "without_input": 1})
    outputs = run({**screen, **baseline, name: fewer})
    metrics = outputs["retrieval_metrics"]
    assert set(metrics.query("method == 'Bilinear'")["n"]) == {149}
    assert set(metrics.query("method == 'CLOOME'")["n"]) == {150}
    ranks = outputs["retrieval_ranks"].query("method == 'Bilinear' and pool == 'full'")
    assert set(ranks["candidates"]) == {149}
    assert inchikey(N - 1) not in set(ranks["compound"])
    paired = outputs["retrieval_differences"].query("against == 'method Bilinear'")
    assert set(paired["n"]) == {149}


def test_shuffled_embeddings_are_at_chance(screen):
    name = "scaffold.cloome.field_embeddings"
    shuffled = np.random.default_rng(1).permutation(screen[name].keys)
    metrics = run({**screen, name: dataclasses.replace(screen[name], keys=shuffled)})["retrieval_metrics"]
    rows = metrics.query(
        "method == 'CLOOME' and metric == 'top-10' and pool == 'sampled' and draws == 1 and shown_by == 'field'"
    )
    assert len(rows) == 2
    assert ((rows["low"] < 0.1) & (rows["high"] > 0.1)).all()


def test_a_study_of_one_method_compares_it_with_nothing(screen):
    """A real screen has no oracle; what only knows fields of one another is not asked."""
    outputs = run({**screen, "truth": schemas.empty(schemas.truth)})
    assert set(outputs["retrieval_ranks"]["method"]) == {"CLOOME"}
    assert {"Plate only", "Well position only"} <= set(outputs["methods"])
    assert set(outputs["retrieval_metrics"]["method"]) == {"CLOOME", "Random"}
    assert outputs["retrieval_differences"].empty
    schemas.differences.validate(outputs["retrieval_differences"])


def test_row_order_of_tables_does_not_matter(screen, outputs):
    turned = {name: screen[name].sample(frac=1, random_state=2) for name in ("scaffold.examples", "truth")}
    found = run({**screen, **turned})
    for name in ("retrieval_ranks", "retrieval_metrics", "retrieval_differences"):
        pd.testing.assert_frame_equal(found[name], outputs[name])


def test_seeds_draw_other_fields(screen, outputs):
    other = run({**screen, "params:seed": 1})["retrieval_ranks"]
    assert (other["query"] != outputs["retrieval_ranks"]["query"]).any()


def test_an_empty_fold_is_named(screen, outputs):
    examples = screen["scaffold.examples"].replace({"fold": {"test": "train"}})
    with pytest.raises(ValueError, match="examples: no compound of the test fold has a field"):
        rank_matches(outputs["methods"], examples, RetrievalParameters(), 0)


def test_the_validation_fold_can_be_asked(screen, outputs):
    examples, parameters = screen["scaffold.examples"], RetrievalParameters(fold="validation", draws=1)
    ranks = rank_matches(outputs["methods"], examples, parameters, 0)
    assert set(ranks["compound"]) == set(examples.query("fold == 'validation'")["inchikey"])
    metrics, _ = summarise_retrieval(ranks, examples, STUDY, parameters, 0)
    assert set(metrics["n"]) == {50}


def test_parameters_are_typed_for_kedro():
    """Kedro validates a parameter only where it finds the annotation."""
    pipeline = create_pipeline("random", "random")
    found = TypeExtractor({"retrieval": pipeline}).extract_types_from_pipelines()
    assert found == {
        "study": StudyParameters,
        "retrieval": RetrievalParameters,
        "corrections": CorrectionParameters,
    }
    assert [node.name for node in pipeline.nodes] == [
        "random.evaluation.retrieval.rank_matches", "random.evaluation.retrieval.summarise_retrieval"
    ]  # fmt: skip


def test_the_winner_of_a_search_is_asked_about_the_splits_own_examples():
    pipeline = create_pipeline("random", "random_tuned")
    assert {"random_tuned.methods", "random.examples"} <= pipeline.inputs()
    assert all(name.startswith("random_tuned.retrieval_") for name in pipeline.all_outputs())
