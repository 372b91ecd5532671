"""The bilinear baseline on planted profiles, through Kedro's own runner."""

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.datasets.embeddings import Embeddings
from cloome_kedro.learning.state import FitState
from cloome_kedro.parameters import BilinearParameters, FingerprintParameters, RetrievalParameters
from cloome_kedro.pipelines.bilinear import create_pipeline
from cloome_kedro.pipelines.bilinear.nodes import rank_by_bilinear, train_bilinear
from cloome_kedro.pipelines.retrieval.nodes import rank_matches

pytestmark = pytest.mark.usefixtures("one_thread")
COMPOUNDS, FIELDS, BITS, FEATURES = 300, 3, 64, 12
TABLES = ("field_profiles", "pairs", "compounds", "fingerprints", "folds")
OUTPUTS = ("bilinear_checkpoint", "bilinear_history", "bilinear_ranks")
EVALUATION = RetrievalParameters(candidates=20, draws=2)


def settings(**fit):
    defaults = {"warmup_steps": 0, "batch_size": 64, "epochs": 8, "learning_rate": 0.01, "accelerator": "cpu"}
    return BilinearParameters.model_validate({"fit": {**defaults, **fit}})


@pytest.fixture(scope="module")
def screen():
    """Profiles are a linear map of fingerprints with noise, on odd scales; 60 of 300 compounds are in the test fold."""
    rng = np.random.default_rng(0)
    blocks = ["".join(chr(65 + int(digit)) for digit in f"{i:014d}") for i in range(COMPOUNDS)]
    keys = [f"{block}-UHFFFAOYSA-N" for block in blocks]
    compounds = pd.DataFrame(
        {"inchikey": keys, "block": blocks, "smiles": "C", "scaffold": "C", "name": None, "moa": None}
    )
    bits = rng.random((COMPOUNDS, BITS)) < 0.2
    shown = np.tile(np.arange(COMPOUNDS), FIELDS)
    pairs = pd.DataFrame(
        {
            "field_id": [f"s/P{i // COMPOUNDS}/A01/{c}" for i, c in enumerate(shown)],
            "screen": "s",
            "plate": [f"P{i // COMPOUNDS}" for i in range(len(shown))],
            "well": "A01",
            "site": shown,
            "plate_file": "P",
            "row": np.arange(len(shown)),
            "inchikey": np.array(keys)[shown],
            "treatment": np.array(keys)[shown],
        }
    )
    features = (bits @ rng.normal(size=(BITS, FEATURES)))[shown]
    features = (features + rng.normal(0, 1, features.shape)) * np.geomspace(1e-2, 1e3, FEATURES) + 5
    profiles = pd.DataFrame(features, columns=[f"feature_{i}" for i in range(FEATURES)])
    profiles.insert(0, "field_id", pairs["field_id"])
    profiles["Metadata_Plate"] = pairs["plate"]
    folds = pd.DataFrame({"inchikey": keys, "fold": ["train"] * 200 + ["validation"] * 40 + ["test"] * 60})
    return {
        "field_profiles": profiles.sample(frac=1, random_state=0),
        "pairs": schemas.pairs.validate(pairs),
        "compounds": schemas.compounds.validate(compounds),
        "fingerprints": np.packbits(bits, axis=1),
        "folds": schemas.folds.validate(folds),
    }


def train(screen, folder, parameters=None, seed=0, bits=BITS):
    tables = [screen[name] for name in TABLES]
    fingerprints = FingerprintParameters(bits=bits)
    return train_bilinear(FitState(folder), *tables, parameters or settings(), fingerprints, seed, split="random")


def rank(screen, checkpoint, seed=0):
    return rank_by_bilinear(checkpoint, *(screen[name] for name in TABLES), EVALUATION, seed, split="random")


@pytest.fixture(scope="module")
def outputs(screen, tmp_path_factory):
    parameters = {
        "params:bilinear": settings(),
        "params:fingerprints": FingerprintParameters(bits=BITS),
        "params:retrieval": EVALUATION,
        "params:seed": 0,
        "bilinear_state": FitState(tmp_path_factory.mktemp("state")),
    }
    catalog = DataCatalog({name: MemoryDataset(data, "assign") for name, data in {**screen, **parameters}.items()})
    for name in OUTPUTS:
        catalog[name] = Kept(copy_mode="assign")
    SequentialRunner().run(create_pipeline("random"), catalog)
    return {name: catalog.load(name) for name in OUTPUTS}


class Kept(MemoryDataset):
    """Not emptied by the runner after its last use."""

    def _release(self):
        pass


def top1(ranks, **where):
    for column, value in where.items():
        ranks = ranks[ranks[column] == value]
    return (ranks["rank"] == 1).mean()


def test_tables_have_their_schemas(outputs):
    schemas.history.validate(outputs["bilinear_history"])
    ranks = schemas.ranks.validate(outputs["bilinear_ranks"])
    assert set(ranks["method"]) == {"Bilinear"}
    assert set(ranks["split"]) == {"random"}


def test_a_planted_linear_relation_is_found_in_compounds_never_seen(outputs):
    for direction in ("structure retrieval", "image retrieval"):
        assert top1(outputs["bilinear_ranks"], direction=direction, pool="sampled") > 0.5, "chance is 0.05"


def test_shuffled_structures_are_at_chance(screen, tmp_path):
    shuffled = np.random.default_rng(1).permutation(screen["fingerprints"])
    mixed = {**screen, "fingerprints": shuffled}
    ranks = rank(mixed, train(mixed, tmp_path)[0])
    hits, n = (ranks.loc[ranks["pool"] == "sampled", "rank"] <= 10).sum(), (ranks["pool"] == "sampled").sum()
    assert abs(hits / n - 0.5) < 4 * np.sqrt(0.25 / n)


def test_ranks_are_those_of_the_bilinear_form(screen, outputs):
    """Full-pool ranks, recomputed from the saved matrix by plain numpy."""
    checkpoint, ranks = outputs["bilinear_checkpoint"], outputs["bilinear_ranks"]
    statistics = checkpoint.config["preprocess"]
    w = checkpoint.tensors["weight"].numpy().astype(float)
    by_image = ranks.query(
        "direction == 'structure retrieval' and pool == 'full' and shown_by == 'field' and draw == 0"
    )
    x = (
        screen["field_profiles"]
        .set_index("field_id")
        .loc[by_image["query"], checkpoint.config["architecture"]["features"]]
    )
    x = (x.to_numpy() - statistics["mean"]) / statistics["std"]
    rows = pd.Index(screen["compounds"]["inchikey"]).get_indexer(by_image["match"])
    z = np.unpackbits(screen["fingerprints"][rows], axis=1)
    scores = x @ w @ z.T
    np.testing.assert_array_equal(by_image["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))


def test_the_score_of_a_compound_is_the_mean_over_its_fields(screen, outputs):
    """Full-pool ranks of all a compound's fields together, recomputed from the scores of single ones."""
    checkpoint, ranks = outputs["bilinear_checkpoint"], outputs["bilinear_ranks"]
    statistics = checkpoint.config["preprocess"]
    w = checkpoint.tensors["weight"].numpy().astype(float)
    by_image = ranks.query("direction == 'structure retrieval' and pool == 'full' and shown_by == 'mean'")
    fields = screen["pairs"][screen["pairs"]["inchikey"].isin(by_image["query"])]
    x = screen["field_profiles"].set_index("field_id").loc[fields["field_id"]]
    x = (x[checkpoint.config["architecture"]["features"]].to_numpy() - statistics["mean"]) / statistics["std"]
    rows = pd.Index(screen["compounds"]["inchikey"]).get_indexer(by_image["match"])
    of_fields = pd.DataFrame(x @ w @ np.unpackbits(screen["fingerprints"][rows], axis=1).T)
    scores = of_fields.groupby(fields["inchikey"].to_numpy()).mean().loc[by_image["query"]].to_numpy()
    np.testing.assert_array_equal(by_image["rank"], 1 + (scores > np.diag(scores)[:, None]).sum(1))


def test_queries_are_those_of_cloome(screen, outputs):
    meta = {"split_hash": split_hash(screen["folds"])}
    rng = np.random.default_rng(0)
    images, structures = (
        Embeddings(keys.to_numpy(), rng.normal(size=(len(keys), 4)).astype(np.float32), meta)
        for keys in (screen["pairs"]["field_id"], screen["compounds"]["inchikey"])
    )
    ours = rank_matches(images, structures, screen["pairs"], screen["folds"], EVALUATION, 0, split="random")
    columns = ["direction", "pool", "shown_by", "draw", "candidates", "query", "match", "compound"]
    pd.testing.assert_frame_equal(outputs["bilinear_ranks"][columns], ours[columns])


def test_the_test_fold_changes_nothing(screen, outputs, tmp_path):
    in_test = screen["pairs"]["inchikey"].isin(screen["folds"].query("fold == 'test'")["inchikey"])
    corrupt = screen["field_profiles"].copy()
    features = [name for name in corrupt if name.startswith("feature_")]
    corrupt.loc[corrupt["field_id"].isin(screen["pairs"]["field_id"][in_test]), features] = np.nan
    fingerprints = screen["fingerprints"].copy()
    fingerprints[240:] = 0
    again, history = train({**screen, "field_profiles": corrupt, "fingerprints": fingerprints}, tmp_path)
    assert torch.equal(again.tensors["weight"], outputs["bilinear_checkpoint"].tensors["weight"])
    assert again.config == outputs["bilinear_checkpoint"].config
    timing = ["fields_per_second", "waiting_fraction"]
    pd.testing.assert_frame_equal(history.drop(columns=timing), outputs["bilinear_history"].drop(columns=timing))


def test_the_epoch_is_chosen_by_validation(outputs):
    history, config = outputs["bilinear_history"], outputs["bilinear_checkpoint"].config
    assert config["epoch"] == history.loc[history["best"], "epoch"].item()
    assert config["validation"]["validation_top1"] == history["validation_top1"].max()
    assert (history["inverse_temperature"] == 1).all()


def test_other_profiles_train_anew(screen, tmp_path):
    """A finished state is not taken for that of other profiles, here of the validation fold, under equal settings."""
    _, history = train(screen, tmp_path)
    profiles = screen["field_profiles"].set_index("field_id")
    held_out = screen["pairs"]["inchikey"].isin(screen["folds"].query("fold == 'validation'")["inchikey"])
    fields = screen["pairs"]["field_id"][held_out]
    profiles.loc[fields] = profiles.loc[fields[::-1]].to_numpy()
    _, other = train({**screen, "field_profiles": profiles.reset_index()}, tmp_path)
    assert history["train_loss"].equals(other["train_loss"])
    assert not history["validation_loss"].equals(other["validation_loss"])


def test_sgd_without_a_schedule_trains_too(screen, tmp_path):
    sgd = settings(optimizer="sgd", schedule="constant", learning_rate=0.5, weight_decay=0)
    checkpoint, history = train(screen, tmp_path, sgd)
    assert history["learning_rate"].eq(0.5).all()
    assert top1(rank(screen, checkpoint), pool="sampled") > 0.3


def test_fields_without_a_profile_are_left_out_with_a_warning(screen, outputs, tmp_path, caplog):
    queries = outputs["bilinear_ranks"].query("direction == 'structure retrieval' and pool == 'full' and draw == 0")
    in_training = screen["pairs"]["field_id"].iloc[:2].tolist()
    gone = [*in_training, queries["query"].iloc[0]]
    profiles = screen["field_profiles"]
    fewer = {**screen, "field_profiles": profiles[~profiles["field_id"].isin(gone)]}
    checkpoint, _ = train(fewer, tmp_path)
    assert (
        f"random: 2 of 720 fields have no profile and are left out of the bilinear baseline, the first is {gone[0]}"
        in caplog.text
    )
    ranks = rank(fewer, checkpoint)
    assert (
        f"random: 1 of 180 fields have no profile and are left out of the bilinear baseline, the first is {gone[2]}"
        in caplog.text
    )
    first = ranks.query("pool == 'full' and shown_by == 'field' and draw == 0")
    assert set(first["candidates"]) == {59}
    assert not first[["query", "match", "compound"]].isin([gone[2], queries["match"].iloc[0]]).any(axis=None)
    # Its other fields still show the compound.
    assert set(ranks.query("pool == 'full' and shown_by == 'mean'")["candidates"]) == {60}
    other_draw = outputs["bilinear_ranks"].query("draw == 1 and direction == 'structure retrieval'")
    lost = int(gone[2] in set(other_draw["query"]))
    assert set(ranks.query("pool == 'full' and draw == 1")["candidates"]) == {60 - lost}


def test_no_profile_at_all_is_an_error(screen, outputs, tmp_path):
    others = screen["field_profiles"].assign(field_id=lambda table: "other/" + table["field_id"])
    with pytest.raises(ValueError, match="no field of a compound of the training fold"):
        train({**screen, "field_profiles": others}, tmp_path)
    with pytest.raises(ValueError, match="no field drawn from the test fold has a row in field_profiles"):
        rank({**screen, "field_profiles": others}, outputs["bilinear_checkpoint"])


def test_bad_tables_are_named(screen, tmp_path):
    profiles = screen["field_profiles"]
    with pytest.raises(ValueError, match="column feature_3 is not numeric"):
        train({**screen, "field_profiles": profiles.astype({"feature_3": str})}, tmp_path)
    with pytest.raises(ValueError, match="has no feature"):
        train({**screen, "field_profiles": profiles[["field_id", "Metadata_Plate"]]}, tmp_path)
    field = screen["pairs"]["field_id"].iloc[7]
    infinite = profiles.assign(feature_2=profiles["feature_2"].mask(profiles["field_id"] == field, np.inf))
    with pytest.raises(ValueError, match=f"feature_2 of field {field} is inf"):
        train({**screen, "field_profiles": infinite}, tmp_path)
    with pytest.raises(ValueError, match="fingerprints have 64 bits, params:fingerprints say 128"):
        train(screen, tmp_path, bits=128)
    with pytest.raises(ValueError, match="there are 5 fingerprints of 300 compounds"):
        train({**screen, "fingerprints": screen["fingerprints"][:5]}, tmp_path)


def test_a_baseline_of_other_folds_columns_or_bits_is_refused(screen, outputs):
    checkpoint = outputs["bilinear_checkpoint"]
    folds = screen["folds"].assign(fold=screen["folds"]["fold"].to_numpy()[::-1])
    with pytest.raises(ValueError, match=r"random\.bilinear_checkpoint is of folds .* trained on test compounds"):
        rank({**screen, "folds": folds}, checkpoint)
    renamed = screen["field_profiles"].rename(columns={"feature_4": "blur"})
    with pytest.raises(ValueError, match="blur instead of feature_4"):
        rank({**screen, "field_profiles": renamed}, checkpoint)
    with pytest.raises(ValueError, match=r"32 bits, random\.bilinear_checkpoint was trained on 64"):
        rank({**screen, "fingerprints": screen["fingerprints"][:, :4]}, checkpoint)


def test_settings_of_unit_vectors_are_refused():
    for name, value in {"embedding_size": 8, "inverse_temperature": 14.3, "learnable_temperature": False}.items():
        with pytest.raises(ValidationError, match=f"bilinear.fit.{name} has no meaning"):
            settings(**{name: value})
    with pytest.raises(ValidationError, match=r"bilinear\.fit\.hopfield_beta has no meaning"):
        settings(objective="info_loob", hopfield_beta=8.0)
    assert settings(objective="info_loob", hopfield_beta=None).fit.objective == "info_loob"


def test_parameters_are_typed_for_kedro():
    from kedro.validation.type_extractor import TypeExtractor

    found = TypeExtractor({"bilinear": create_pipeline("random")}).extract_types_from_pipelines()
    assert found == {
        "bilinear": BilinearParameters, "fingerprints": FingerprintParameters, "retrieval": RetrievalParameters,
    }  # fmt: skip
