"""Models of profiles, the bilinear baseline above all: from training to ranks on planted profiles."""

import numpy as np
import pandas as pd
import pytest
import torch

from cloome_kedro import schemas
from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import (
    CorrectionParameters,
    EmbeddingParameters,
    ModelParameters,
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
)
from cloome_kedro.pipelines import embedding, evaluation, retrieval, training
from cloome_kedro.pipelines.embedding.nodes import embed_compounds, embed_fields
from cloome_kedro.pipelines.evaluation.nodes import gather_methods
from cloome_kedro.pipelines.retrieval.nodes import rank_matches
from cloome_kedro.pipelines.training.nodes import select_checkpoint, train
from cloome_kedro.run_store import RunStore
from cloome_kedro.words import COMPOUND_TO_IMAGE, DIRECTIONS, IMAGE_TO_COMPOUND, PROBING, RETRIEVAL
from planted_examples import inchikey, make_examples, run_pipeline
from small_models import BILINEAR

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS, BITS, FEATURES = 300, 3, 64, 12
SETTINGS = {"radius": 3, "bits": BITS, "chirality": True}
STUDY = StudyParameters(screen="s", simulated=True, models={"bilinear": "Bilinear"})
EVALUATION = RetrievalParameters(candidates=20, draws=2)
EMBEDDING = EmbeddingParameters(accelerator="cpu")
MLP = {
    "field": {"view": "profiles", "encoder": {"name": "mlp", "layers": 1, "width": 32}},
    "compound": {"view": "morgan", "encoder": {"name": "mlp", "layers": 1, "width": 32}},
    "embedding_size": 16,
    "objective": "info_nce",
}


def settings(model=BILINEAR, **fit):
    fit = {"warmup_steps": 0, "batch_size": 64, "epochs": 8, "learning_rate": 0.01, "accelerator": "cpu", **fit}
    return ModelParameters.model_validate({**model, "fit": fit})


@pytest.fixture(scope="module")
def screen():
    """Profiles are a linear map of fingerprints with noise, on odd scales; 60 of 300 compounds are in the test fold."""
    rng = np.random.default_rng(0)
    bits = rng.random((COMPOUNDS, BITS)) < 0.2
    number = np.tile(np.arange(COMPOUNDS), FIELDS)
    wells = [f"{chr(65 + c // 24)}{c % 24 + 1:02d}" for c in number]
    table = pd.DataFrame({"plate": [f"P{i // COMPOUNDS}" for i in range(len(number))], "well": wells, "number": number})
    examples = make_examples(table, ["train"] * 200 + ["validation"] * 40 + ["test"] * 60, split="random")
    features = (bits @ rng.normal(size=(BITS, FEATURES)))[number]
    features = (features + rng.normal(0, 1, features.shape)) * np.geomspace(1e-2, 1e3, FEATURES) + 5
    profiles = pd.DataFrame(features, columns=[f"feature_{i}" for i in range(FEATURES)])
    profiles.insert(0, "field_id", examples["field_id"])
    profiles["Metadata_Plate"] = examples["plate"]
    return {
        "field_profiles": profiles.sample(frac=1, random_state=0),
        "fingerprints": Fingerprints(np.packbits(bits, axis=1), SETTINGS),
        "examples": examples,
    }


KEYS = pd.DataFrame({"inchikey": [inchikey(i) for i in range(COMPOUNDS)]})
LABELS = schemas.empty(schemas.labels)


def fit(screen, folder, model=None, seed=0):
    """Train on a screen; give the selected checkpoint and the history."""
    model = model or settings()
    probing = ProbingParameters(c_grid=[1])
    checkpoints, history = train(
        fit_states=folder, subfolder="m", labels=LABELS, model=model, probing=probing, seed=seed, **screen
    )
    return select_checkpoint(checkpoints, model), history


def rank(screen, checkpoint, study=STUDY):
    """Embed by a checkpoint, and rank as the retrieval pipeline does."""
    fields = embed_fields(checkpoint, screen["examples"], EMBEDDING, field_profiles=screen["field_profiles"])
    compounds = embed_compounds(checkpoint, KEYS, EMBEDDING, fingerprints=screen["fingerprints"])
    embeddings = {"bilinear_fields": fields, "bilinear_compounds": compounds}
    return rank_matches(gather_methods(study, screen["examples"], **embeddings), screen["examples"], EVALUATION, 0)


@pytest.fixture(scope="module")
def outputs(screen, tmp_path_factory):
    """All that the pipelines give of the one model."""
    sources = ["field_profiles", "fingerprints"]
    pipeline = sum(
        [
            embedding.create_pipeline("random", "bilinear", sources[:1], sources[1:]),
            evaluation.create_methods_pipeline("random", ["bilinear"], "random"),
            retrieval.create_pipeline("random", "random"),
        ],
        training.create_pipeline("random", "bilinear", sources),
    )
    inputs = {
        "run_states": tmp_path_factory.mktemp("states"),
        "run_store": RunStore(tmp_path_factory.mktemp("runs")),
        "random.examples": screen["examples"],
        "field_profiles": screen["field_profiles"],
        "fingerprints": screen["fingerprints"],
        "fields": screen["examples"],
        "compounds": KEYS,
        "labels": LABELS,
        "cell_counts": schemas.empty(schemas.cell_counts),
        "truth": schemas.empty(schemas.truth),
        "params:models.bilinear": settings(),
        "params:study": STUDY,
        "params:corrections": CorrectionParameters(),
        "params:probing": ProbingParameters(c_grid=[1]),
        "params:embedding": EMBEDDING,
        "params:retrieval": EVALUATION,
        "params:seed": 0,
    }
    assert pipeline.inputs() == set(inputs)
    return {name.removeprefix("random."): value for name, value in run_pipeline(pipeline, inputs).items()}


def top1(ranks, **where):
    for column, value in where.items():
        ranks = ranks[ranks[column] == value]
    return (ranks["rank"] == 1).mean()


def test_tables_have_their_schemas(outputs):
    schemas.history.validate(outputs["bilinear.history"])
    ranks = schemas.ranks.validate(outputs["retrieval_ranks"])
    assert set(ranks["method"]) == {"Bilinear"}
    assert set(ranks["split"]) == {"random"}


def test_a_planted_linear_relation_is_found_in_compounds_never_seen(outputs):
    for direction in DIRECTIONS:
        assert top1(outputs["retrieval_ranks"], direction=direction, pool="sampled") > 0.5, "chance is 0.05"


def test_shuffled_structures_are_at_chance(screen, tmp_path):
    shuffled = np.random.default_rng(1).permutation(screen["fingerprints"].packed)
    mixed = {**screen, "fingerprints": Fingerprints(shuffled, SETTINGS)}
    ranks = rank(mixed, fit(mixed, tmp_path)[0])
    hits, n = (ranks.loc[ranks["pool"] == "sampled", "rank"] <= 10).sum(), (ranks["pool"] == "sampled").sum()
    assert abs(hits / n - 0.5) < 4 * np.sqrt(0.25 / n)


def bilinear_form(screen, outputs, field_ids, matches):
    """Scores x^T W z of fields and compounds, recomputed from the saved matrix by plain numpy."""
    checkpoint = outputs["bilinear.checkpoint"]
    statistics = checkpoint.config["views"]["field"]
    w = checkpoint.tensors["transformer.weight"].numpy().astype(float)
    assert w.shape == (FEATURES, BITS)
    x = screen["field_profiles"].set_index("field_id").loc[field_ids, statistics["columns"]]
    x = (x.to_numpy() - statistics["mean"]) / statistics["std"]
    rows = pd.Index(KEYS["inchikey"]).get_indexer(matches)
    return x @ w @ np.unpackbits(screen["fingerprints"].packed[rows], axis=1).T


def test_ranks_are_those_of_the_bilinear_form(screen, outputs):
    """In the full pool, in both directions."""
    ranks = outputs["retrieval_ranks"].query("pool == 'full' and shown_by == 'field' and draw == 0")
    by_image = ranks[ranks["direction"] == IMAGE_TO_COMPOUND]
    scores = bilinear_form(screen, outputs, by_image["query"], by_image["match"])
    np.testing.assert_array_equal(by_image["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))
    by_compound = ranks[ranks["direction"] == COMPOUND_TO_IMAGE]
    assert by_compound["match"].tolist() == by_image["query"].tolist()
    np.testing.assert_array_equal(by_compound["rank"], 1 + (scores > np.diag(scores)).sum(0))


def test_the_score_of_a_compound_is_the_mean_over_its_fields(screen, outputs):
    """Full-pool ranks of all a compound's fields together, recomputed from the scores of single ones."""
    ranks = outputs["retrieval_ranks"]
    by_image = ranks.query(f"direction == '{IMAGE_TO_COMPOUND}' and pool == 'full' and shown_by == 'mean'")
    fields = screen["examples"][screen["examples"]["inchikey"].isin(by_image["query"])]
    of_fields = pd.DataFrame(bilinear_form(screen, outputs, fields["field_id"], by_image["match"]))
    scores = of_fields.groupby(fields["inchikey"].to_numpy()).mean().loc[by_image["query"]].to_numpy()
    np.testing.assert_array_equal(by_image["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))


def test_it_is_asked_in_retrieval_alone(outputs):
    """Nothing of how it sees fields is learned, so as a method of fields it is their profiles."""
    method = outputs["methods"]["Bilinear"]
    assert method.tasks == (RETRIEVAL,)
    assert not method.normalised
    assert outputs["bilinear.field_embeddings"].meta["learned"] is False
    assert PROBING in outputs["methods"]["Profiles"].tasks
    standardised = outputs["methods"]["Profiles"].fields
    np.testing.assert_allclose(method.fields.of(standardised.keys), standardised.vectors, atol=1e-4)


def test_the_size_of_profiles_is_that_of_the_space(screen, outputs, tmp_path):
    checkpoint, _ = fit(screen, tmp_path, settings({**BILINEAR, "embedding_size": 5}, epochs=1))
    assert checkpoint.architecture.size == FEATURES
    assert outputs["bilinear.field_embeddings"].vectors.shape[1] == FEATURES
    assert outputs["bilinear.compound_embeddings"].vectors.shape == (COMPOUNDS, FEATURES)


def test_the_first_loss_is_that_of_chance(screen, tmp_path):
    """All scores are 0 at first, so a batch of 64 has the loss ln 64 in its first step."""
    _, history = fit(screen, tmp_path, settings(epochs=1, learning_rate=0, batch_size=64))
    assert history["train_loss"].item() == pytest.approx(np.log(64), rel=1e-3)


def test_the_test_fold_changes_nothing(screen, outputs, tmp_path):
    of_test = screen["examples"].query("fold == 'test'")["field_id"]
    corrupt = screen["field_profiles"].copy()
    features = [name for name in corrupt if name.startswith("feature_")]
    corrupt.loc[corrupt["field_id"].isin(of_test), features] = np.nan
    packed = screen["fingerprints"].packed.copy()
    packed[240:] = 0
    changed = {**screen, "field_profiles": corrupt, "fingerprints": Fingerprints(packed, SETTINGS)}
    again, history = fit(changed, tmp_path)
    checkpoint = outputs["bilinear.checkpoint"]
    assert torch.equal(again.tensors["transformer.weight"], checkpoint.tensors["transformer.weight"])
    assert again.config == checkpoint.config
    timing = ["fields_per_second", "waiting_fraction"]
    pd.testing.assert_frame_equal(history.drop(columns=timing), outputs["bilinear.history"].drop(columns=timing))


def test_the_epoch_is_chosen_by_validation(outputs):
    history, config = outputs["bilinear.history"], outputs["bilinear.checkpoint"].config
    assert config["epoch"] == history.loc[history["best"], "epoch"].item()
    assert config["validation"]["validation_top1"] == history["validation_top1"].max()
    assert (history["inverse_temperature"] == 1).all()


def test_other_profiles_train_anew(screen, tmp_path):
    """A finished state is not taken for that of other profiles, here of the validation fold, under equal settings."""
    _, history = fit(screen, tmp_path)
    profiles = screen["field_profiles"].set_index("field_id")
    fields = screen["examples"].query("fold == 'validation'")["field_id"]
    profiles.loc[fields] = profiles.loc[fields[::-1]].to_numpy()
    _, other = fit({**screen, "field_profiles": profiles.reset_index()}, tmp_path)
    assert history["train_loss"].equals(other["train_loss"])
    assert not history["validation_loss"].equals(other["validation_loss"])


def test_sgd_without_a_schedule_trains_too(screen, tmp_path):
    sgd = settings(optimizer="sgd", schedule="constant", learning_rate=0.5, weight_decay=0)
    checkpoint, history = fit(screen, tmp_path, sgd)
    assert history["learning_rate"].eq(0.5).all()
    assert top1(rank(screen, checkpoint), pool="sampled") > 0.3


def test_an_mlp_of_profiles_learns_the_relation_too(screen, tmp_path):
    """Its embeddings of fields are learned, so it is a method of every task, and has length 1."""
    checkpoint, history = fit(screen, tmp_path, settings(MLP))
    assert history["inverse_temperature"].nunique() > 1
    fields = embed_fields(checkpoint, screen["examples"], EMBEDDING, field_profiles=screen["field_profiles"])
    np.testing.assert_allclose(np.linalg.norm(fields.vectors, axis=1), 1, atol=1e-5)
    assert fields.meta["learned"]
    assert fields.meta["normalised"]
    assert top1(rank(screen, checkpoint), pool="sampled") > 0.3


def test_fields_without_a_profile_are_left_out_with_a_warning(screen, outputs, tmp_path, caplog):
    ranks = outputs["retrieval_ranks"]
    queries = ranks.query(
        f"direction == '{IMAGE_TO_COMPOUND}' and pool == 'full' and shown_by == 'field' and draw == 0"
    )
    in_training = screen["examples"]["field_id"].iloc[:2].tolist()
    gone = [*in_training, queries["query"].iloc[0]]
    profiles = screen["field_profiles"]
    fewer = {**screen, "field_profiles": profiles[~profiles["field_id"].isin(gone)]}
    checkpoint, _ = fit(fewer, tmp_path)
    told = (
        "2 of 720 fields are left out of training and validation, since the views of the model have no input for "
        f"them; the first is {gone[0]}"
    )
    assert told in caplog.text
    ranks = rank(fewer, checkpoint)
    assert (
        f"3 of 900 fields are left out, since the view of the model has no input for them; the first is {gone[0]}"
        in caplog.text
    )
    assert f"random split: 3 of 900 fields of Bilinear have no embedding, the first is {gone[0]}" in caplog.text
    first = ranks.query("pool == 'full' and shown_by == 'field' and draw == 0")
    assert set(first["candidates"]) == {59}
    assert not first[["query", "match", "compound"]].isin([gone[2], queries["match"].iloc[0]]).any(axis=None)
    # Its other fields still show the compound.
    assert set(ranks.query("pool == 'full' and shown_by == 'mean'")["candidates"]) == {60}
    other_draw = outputs["retrieval_ranks"].query(f"draw == 1 and direction == '{IMAGE_TO_COMPOUND}'")
    lost = int(gone[2] in set(other_draw["query"]))
    assert set(ranks.query("pool == 'full' and draw == 1")["candidates"]) == {60 - lost}


def test_no_profile_at_all_is_an_error(screen, outputs, tmp_path):
    others = screen["field_profiles"].assign(field_id=lambda table: "other/" + table["field_id"])
    with pytest.raises(ValueError, match="no field of the training fold has a row in field_profiles"):
        fit({**screen, "field_profiles": others}, tmp_path)
    with pytest.raises(ValueError, match="random split: the method knows none of the fields of a draw"):
        rank({**screen, "field_profiles": others}, outputs["bilinear.checkpoint"])


def test_bad_tables_are_named(screen, tmp_path):
    profiles = screen["field_profiles"]
    with pytest.raises(ValueError, match="column feature_3 is not numeric"):
        fit({**screen, "field_profiles": profiles.astype({"feature_3": str})}, tmp_path)
    with pytest.raises(ValueError, match="has no feature"):
        fit({**screen, "field_profiles": profiles[["field_id", "Metadata_Plate"]]}, tmp_path)
    field = screen["examples"]["field_id"].iloc[7]
    infinite = profiles.assign(feature_2=profiles["feature_2"].mask(profiles["field_id"] == field, np.inf))
    with pytest.raises(ValueError, match=f"feature_2 of field {field} is inf"):
        fit({**screen, "field_profiles": infinite}, tmp_path)
    with pytest.raises(ValueError, match=r"shape \(300, 8\) uint8 do not have 128 bits"):
        Fingerprints(screen["fingerprints"].packed, {**SETTINGS, "bits": 128})
    few = Fingerprints(screen["fingerprints"].packed[:5], SETTINGS)
    with pytest.raises(ValueError, match="there is no fingerprint of row 5, since there are only 5"):
        fit({**screen, "fingerprints": few}, tmp_path)


def test_a_model_of_other_folds_columns_or_bits_is_refused(screen, outputs):
    checkpoint = outputs["bilinear.checkpoint"]
    other_folds = screen["examples"].assign(split_hash="0123456789abcdef")
    with pytest.raises(ValueError, match=r"fields of Bilinear are .* trained on folds .* on test compounds"):
        rank({**screen, "examples": other_folds}, checkpoint)
    renamed = screen["field_profiles"].rename(columns={"feature_4": "blur"})
    with pytest.raises(ValueError, match="blur instead of feature_4"):
        rank({**screen, "field_profiles": renamed}, checkpoint)
    short = Fingerprints(screen["fingerprints"].packed[:, :4], {**SETTINGS, "bits": 32})
    with pytest.raises(ValueError, match=r"fingerprints have the settings .*'bits': 32.* was trained on .*'bits': 64"):
        rank({**screen, "fingerprints": short}, checkpoint)


def test_identity_has_no_settings():
    assert settings().field.encoder == Identity()
    with pytest.raises(ValueError, match="encoder identity: there is no setting width; its settings are: none"):
        settings({**BILINEAR, "field": {"view": "profiles", "encoder": {"name": "identity", "width": 8}}})


def test_two_sizes_that_do_not_fit_are_told(screen, tmp_path):
    """Profiles and fingerprints as they are have no space in common."""
    as_they_are = {**BILINEAR, "compound": {"view": "morgan", "encoder": "identity"}}
    with pytest.raises(ValueError, match="of fields have 12 numbers, embeddings of compounds have 64:"):
        fit(screen, tmp_path, settings(as_they_are))
