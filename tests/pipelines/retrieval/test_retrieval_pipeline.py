"""The retrieval pipeline on a small planted screen, through Kedro's own runner."""

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.datasets.embeddings import Embeddings
from cloome_kedro.parameters import RetrievalParameters
from cloome_kedro.pipelines.retrieval import create_pipeline

N, REPLICATES, DRAWS = 400, 3, 3
OUTPUTS = ("retrieval_ranks", "oracle_ranks", "retrieval_metrics", "retrieval_differences")


def inchikey(number):
    letters = "".join(chr(65 + int(digit)) for digit in f"{number:014d}")
    return f"{letters}-ABCDEFGHIJ-N"


@pytest.fixture(scope="module")
def screen():
    """400 compounds, three fields each, 150 of them in the test fold; images are noisy copies of structures."""
    generator = np.random.default_rng(0)
    keys = [inchikey(number) for number in range(N)]
    folds = pd.DataFrame({"inchikey": keys, "fold": ["train"] * 200 + ["validation"] * 50 + ["test"] * 150})
    wells = [f"{chr(65 + i // 24)}{i % 24 + 1:02d}" for i in range(N)]
    fields = pd.DataFrame(
        {"plate": f"P{plate}", "well": well, "inchikey": key, "number": number}
        for plate in range(REPLICATES)
        for number, (well, key) in enumerate(zip(wells, keys, strict=True))
    )
    fields["field_id"] = "s/" + fields["plate"] + "/" + fields["well"] + "/0"

    latent = generator.normal(size=(N, 16)).astype(np.float32)
    noisy = latent[fields["number"]] + generator.normal(0, 0.5, (len(fields), 16)).astype(np.float32)
    meta = {"split_hash": split_hash(folds)}
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
    return {
        "image_embeddings": Embeddings(fields["field_id"].to_numpy(str), unit(noisy), meta),
        "structure_embeddings": Embeddings(np.array(keys), unit(latent), meta),
        "pairs": fields,
        "folds": folds,
        "truth": schemas.truth.validate(truth),
        "compound_keys": pd.DataFrame({"compound_id": [f"c{i}" for i in range(N)], "inchikey": keys}),
        "bilinear_ranks": pd.DataFrame(columns=list(schemas.ranks.columns)),
        "params:retrieval": RetrievalParameters(draws=DRAWS),
        "params:seed": 0,
    }


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Kept(MemoryDataset):
    """Not emptied by the runner after its last use."""

    def _release(self):
        pass


def run(inputs):
    tables = {name: Kept() for name in OUTPUTS}
    catalog = DataCatalog({**{name: MemoryDataset(value) for name, value in inputs.items()}, **tables})
    SequentialRunner().run(create_pipeline("scaffold"), catalog)
    return {name: dataset.load() for name, dataset in tables.items()}


@pytest.fixture(scope="module")
def outputs(screen):
    return run(screen)


def test_tables_have_their_schemas(outputs):
    schemas.ranks.validate(outputs["retrieval_ranks"])
    schemas.ranks.validate(outputs["oracle_ranks"])
    schemas.metrics.validate(outputs["retrieval_metrics"])
    schemas.differences.validate(outputs["retrieval_differences"])
    assert set(outputs["retrieval_metrics"]["split"]) == {"scaffold"}


def test_queries_are_one_field_of_each_test_compound_for_every_method(screen, outputs):
    ranks = outputs["retrieval_ranks"].query("shown_by == 'field'").reset_index(drop=True)
    assert set(ranks.query("pool != 'same plate'")["candidates"]) == {100, 150}
    test_keys = set(screen["folds"].query("fold == 'test'")["inchikey"])
    columns = ["direction", "pool", "draw", "query", "match", "compound"]
    for method, table in pd.concat([ranks, outputs["oracle_ranks"]]).groupby("method"):
        assert len(table) == (4 * DRAWS + 2) * 150, method
        pd.testing.assert_frame_equal(table[columns].reset_index(drop=True), ranks[columns])
    own = screen["pairs"].set_index("field_id")["inchikey"]
    for _, by_image in ranks.query("direction == 'structure retrieval' and pool == 'full'").groupby("draw"):
        assert set(by_image["match"]) == test_keys
        assert (own.loc[by_image["query"]].to_numpy() == by_image["match"].to_numpy()).all()


def test_the_mean_of_all_fields_is_ranked_beside_single_ones(screen, outputs):
    """Full-pool ranks of compounds' means, recomputed by pandas."""
    images, structures = screen["image_embeddings"], screen["structure_embeddings"]
    rows = outputs["retrieval_ranks"].query("shown_by == 'mean' and pool == 'full'")
    assert set(rows["draw"]) == {0}
    by_image = rows[rows["direction"] == "structure retrieval"]
    fields = screen["pairs"]
    means = pd.DataFrame(images.of(fields["field_id"])).groupby(fields["inchikey"].to_numpy()).mean()
    scores = unit(means.loc[by_image["query"]].to_numpy()) @ structures.of(by_image["match"]).T
    np.testing.assert_array_equal(by_image["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))
    by_structure = rows[rows["direction"] == "image retrieval"]
    np.testing.assert_array_equal(by_structure["rank"], 1 + (scores > np.diag(scores)).sum(0))
    single_field = outputs["retrieval_ranks"].query("shown_by == 'field' and pool == 'full'")
    assert rows["rank"].mean() < single_field["rank"].mean(), "more of a compound's fields tell more"
    sampled = outputs["retrieval_ranks"].query("shown_by == 'mean' and pool == 'sampled'")
    assert sampled.groupby("draw").size().tolist() == [300] * DRAWS


def single(metrics):
    return metrics.query("draws == 1 and shown_by == 'field'").set_index(["method", "direction", "pool", "metric"])


def test_metrics_find_what_was_planted(screen, outputs):
    metrics = single(outputs["retrieval_metrics"])
    assert metrics.index.is_unique
    assert (outputs["retrieval_metrics"]["n"] == 150).all()
    assert set(metrics["split_hash"]) == {split_hash(screen["folds"])}
    for direction in ("structure retrieval", "image retrieval"):
        assert metrics.loc[("CLOOME", direction, "sampled", "top-1"), "low"] > 0.5
        assert metrics.loc[("Oracle (phenotype)", direction, "sampled", "top-1"), "low"] > 0.3
        # The only one of about ten compounds of the mechanism among 100: one in ten.
        mechanism = metrics.loc[("Oracle (mechanism)", direction, "sampled", "top-1")]
        assert mechanism["low"] < 0.1 < mechanism["high"]
        assert metrics.loc[("Random", direction, "sampled", "top-1"), "value"] == 0.01


def test_draws_are_averaged(outputs):
    metrics = outputs["retrieval_metrics"].query("method == 'CLOOME' and shown_by == 'field' and metric == 'top-1'")
    ranks = outputs["retrieval_ranks"].query("shown_by == 'field'")
    keys = ["direction", "pool"]
    by_draw = ranks.assign(hit=ranks["rank"] == 1).groupby([*keys, "draw"])["hit"].mean().unstack()
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
        with pytest.raises(ValueError, match="give candidates or sampling_rate"):
            RetrievalParameters.model_validate(wrong)


def test_the_baseline_stands_beside_the_model_on_the_same_queries(screen, outputs):
    baseline = outputs["retrieval_ranks"].assign(method="Bilinear", rank=1)
    with_baseline = run({**screen, "bilinear_ranks": baseline})
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
    assert set(differences["against"]) == {
        f"method {name}" for name in ("Bilinear", "Oracle (phenotype)", "Oracle (mechanism)")
    }

    unprofiled = baseline["match"].iloc[0]
    fewer = baseline[baseline["compound"] != unprofiled]
    some = run({**screen, "bilinear_ranks": fewer})["retrieval_metrics"].query("method == 'Bilinear'")
    assert set(some["n"]) == {149}

    others = baseline.replace(baseline["query"].iloc[0], "s/P9/A01/0")
    with pytest.raises(ValueError, match=r"scaffold\.bilinear_ranks are of other queries than"):
        run({**screen, "bilinear_ranks": others})
    with pytest.raises(ValueError, match=r"scaffold\.bilinear_ranks are of other queries than"):
        run({**screen, "bilinear_ranks": baseline[baseline["draw"] == 0]})

    fewer_candidates = baseline.replace({"candidates": {100: 20}})
    with pytest.raises(ValueError, match=r"bilinear_ranks are among 20 sampled candidates, .*retrieval say 100"):
        run({**screen, "bilinear_ranks": fewer_candidates})


def test_a_study_without_the_baseline_says_so(screen, outputs, caplog):
    run(screen)
    assert "scaffold: the bilinear baseline has not been run" in caplog.text
    assert "Bilinear" not in set(outputs["retrieval_metrics"]["method"])


def test_shuffled_embeddings_are_at_chance(screen):
    images = screen["image_embeddings"]
    shuffled = np.random.default_rng(1).permutation(images.keys)
    metrics = run({**screen, "image_embeddings": Embeddings(shuffled, images.vectors, images.meta)})[
        "retrieval_metrics"
    ]
    rows = metrics.query(
        "method == 'CLOOME' and metric == 'top-10' and pool == 'sampled' and draws == 1 and shown_by == 'field'"
    )
    assert len(rows) == 2
    assert ((rows["low"] < 0.1) & (rows["high"] > 0.1)).all()


def test_a_real_screen_has_no_oracle(screen):
    empty = pd.DataFrame(columns=["plate", "well", "compound_id", "mechanism", "potency"])
    outputs = run({**screen, "truth": empty})
    assert outputs["oracle_ranks"].empty
    schemas.ranks.validate(outputs["oracle_ranks"])
    assert set(outputs["retrieval_metrics"]["method"]) == {"CLOOME", "Random"}
    assert outputs["retrieval_differences"].empty
    schemas.differences.validate(outputs["retrieval_differences"])


def test_row_order_of_tables_does_not_matter(screen, outputs):
    turned = {
        name: screen[name].sample(frac=1, random_state=2) for name in ("pairs", "folds", "truth", "compound_keys")
    }
    for name, table in run({**screen, **turned}).items():
        pd.testing.assert_frame_equal(table, outputs[name])


def test_seeds_draw_other_fields(screen, outputs):
    other = run({**screen, "params:seed": 1})["retrieval_ranks"]
    assert (other["query"] != outputs["retrieval_ranks"]["query"]).any()


def test_embeddings_of_other_folds_are_refused(screen):
    images = screen["image_embeddings"]
    other = Embeddings(images.keys, images.vectors, {"split_hash": "0123456789abcdef"})
    with pytest.raises(ValueError, match=r"scaffold\.image_embeddings are of folds 0123456789abcdef, not of"):
        run({**screen, "image_embeddings": other})


def test_embeddings_of_a_published_model_are_ranked_with_a_warning(screen, outputs, caplog):
    names = ("image_embeddings", "structure_embeddings")
    unknown = {
        name: Embeddings(screen[name].keys, screen[name].vectors, {**screen[name].meta, "split_hash": "unknown"})
        for name in names
    }
    ranks = run({**screen, **unknown})["retrieval_ranks"]
    pd.testing.assert_frame_equal(ranks, outputs["retrieval_ranks"])
    for name in names:
        assert f"scaffold.{name} ARE OF A PUBLISHED MODEL WHOSE TRAINING COMPOUNDS ARE NOT KNOWN" in caplog.text


def test_embeddings_of_two_models_are_refused(screen):
    images = screen["image_embeddings"]
    other = Embeddings(images.keys, images.vectors, {**images.meta, "weights": "0123456789abcdef"})
    with pytest.raises(ValueError, match=r"scaffold\.image_embeddings are of the model 0123456789abcdef"):
        run({**screen, "image_embeddings": other})


def test_a_missing_embedding_is_named(screen):
    structures = screen["structure_embeddings"]
    fewer = Embeddings(structures.keys[:-1], structures.vectors[:-1], structures.meta)
    with pytest.raises(KeyError, match=inchikey(N - 1)):
        run({**screen, "structure_embeddings": fewer})


def test_an_empty_fold_is_named(screen):
    folds = screen["folds"].replace({"fold": {"test": "train"}})
    meta = {"split_hash": split_hash(folds)}
    embeddings = {
        name: Embeddings(screen[name].keys, screen[name].vectors, meta)
        for name in ("image_embeddings", "structure_embeddings")
    }
    with pytest.raises(ValueError, match=r"scaffold\.folds: no compound of the test fold"):
        run({**screen, **embeddings, "folds": folds})


def test_parameters_are_typed_for_kedro():
    """Kedro validates a parameter only where it finds the annotation, also behind the partial."""
    from kedro.validation.type_extractor import TypeExtractor

    found = TypeExtractor({"retrieval": create_pipeline("random")}).extract_types_from_pipelines()
    assert found == {"retrieval": RetrievalParameters}
    assert {node.short_name for node in create_pipeline("random").nodes} == {
        "rank_matches",
        "rank_by_oracle",
        "summarise_retrieval",
    }
