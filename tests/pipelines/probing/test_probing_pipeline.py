"""The probing pipeline on a small planted screen, with the methods that are gathered for it."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.chemistry.label_config import LabelColumns
from cloome_kedro.chemistry.label_tables import read_labels
from cloome_kedro.chemistry.labels import labels_of_screen
from cloome_kedro.datasets.label_matrix import LabelMatrix
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.imaging.columns import find_column
from cloome_kedro.parameters import CorrectionParameters, ProbingParameters, StudyParameters
from cloome_kedro.pipelines.evaluation import create_methods_pipeline
from cloome_kedro.pipelines.probing import create_pipeline
from cloome_kedro.pipelines.probing.nodes import probe_assays
from cloome_kedro.words import FOLDS
from planted_examples import inchikey, make_examples, run_pipeline, unit

N, REPLICATES = 240, 3
STUDY = StudyParameters(screen="s", simulated=False, models={"cloome": "CLOOME"})
WELLS = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
TABLES = {"scores": schemas.probing_scores, "metrics": schemas.metrics, "differences": schemas.differences}
PARAMETERS = ProbingParameters(c_grid=[0.01, 1, 100], resamples=200)


@pytest.fixture(scope="module")
def screen(one_thread):
    """240 compounds, a field on each of three plates; two assays follow the images, one the well, one nothing."""
    generator = np.random.default_rng(0)
    keys = [inchikey(number) for number in range(N)]
    order = generator.permutation(N)
    wells = [f"{chr(65 + i // 20)}{i % 20 + 1:02d}" for i in order]
    fields = pd.DataFrame(
        {"plate": f"P{plate}", "well": well, "number": number}
        for plate in range(REPLICATES)
        for number, well in enumerate(wells)
    )
    examples = make_examples(fields, ["train"] * 140 + ["validation"] * 50 + ["test"] * 50)
    latent = generator.normal(size=(N, 8))
    noisy = latent[fields["number"]] + generator.normal(0, 1, (len(fields), 8))
    meta = {"split_hash": examples["split_hash"].iloc[0]}
    labels = pd.DataFrame(
        {
            "of_images": latent[:, 0] > 0,
            "of_images_too": latent[:, 1] + generator.normal(0, 0.5, N) > 0.5,
            "of_rows": order // 20 < 6,
            "of_nothing": generator.random(N) < 0.5,
            "without_actives": False,
        }
    ).astype(float)
    labels = labels.mask(generator.random(labels.shape) < 0.2)
    labels.insert(0, "inchikey", keys)
    ids = examples["field_id"].to_numpy(str)
    untrained = unit(noisy @ generator.normal(size=(8, 1)) * np.ones((1, 4)))
    return {
        "scaffold.cloome.field_embeddings": Embeddings(ids, unit(noisy), meta),
        "scaffold.cloome.compound_embeddings": Embeddings(np.array(keys), unit(latent), meta),
        "scaffold.cloome.untrained_embeddings": Embeddings(ids, untrained, meta),
        "field_profiles": pd.DataFrame(noisy[:, :2] * 7 + 3, columns=["one", "two"]).assign(field_id=ids),
        "cell_counts": pd.DataFrame({"field_id": ids, "nuclei": generator.poisson(20, len(ids)).astype(float)}),
        "truth": schemas.empty(schemas.truth),
        "labels": schemas.labels.validate(labels),
        "scaffold.examples": examples,
        "fields": examples.assign(control=False),
        "params:study": STUDY,
        "params:corrections": CorrectionParameters(),
        "params:probing": PARAMETERS,
        "params:seed": 0,
    }


def run(inputs):
    """Gather methods and probe; give the methods, and the tables by kind."""
    pipeline = create_methods_pipeline("scaffold", ["cloome"], "scaffold", untrained="cloome")
    found = run_pipeline(pipeline + create_pipeline("scaffold", "scaffold"), inputs)
    tables = {name: schema.validate(found[f"scaffold.probing_{name}"]) for name, schema in TABLES.items()}
    return {"methods": found["scaffold.methods"], **tables}


@pytest.fixture(scope="module")
def outputs(screen):
    return run(screen)


def probe(screen, outputs, **changes):
    """Probe the methods that are gathered already; give the tables by kind."""
    arguments = {
        "examples": screen["scaffold.examples"],
        "labels": screen["labels"],
        "study": STUDY,
        "probing": PARAMETERS,
        "seed": 0,
        **changes,
    }
    found = probe_assays(outputs["methods"], **arguments)
    return {name: TABLES[name].validate(table) for name, table in zip(TABLES, found, strict=True)}


METHODS = {"CLOOME", "Untrained", "Profiles", "Plate only", "Well position only", "Cell count only"}


def test_every_method_is_scored_on_the_same_assays(screen, outputs):
    scores = outputs["scores"]
    assert set(scores["method"]) == METHODS
    assert set(scores["split"]) == {"scaffold"}
    assert set(scores["split_hash"]) == set(screen["scaffold.examples"]["split_hash"])
    counts = [name for name in scores if name.endswith("actives")]
    for _, assay in scores.groupby("assay"):
        assert len(assay) == len(METHODS)
        assert (assay[counts].nunique() == 1).all()
    left = scores[~scores["scored"]]
    assert set(left["assay"]) == {"without_actives"}
    assert left["reason"].str.contains("active").all()


def test_probes_tell_images_from_confounders(outputs):
    auc = outputs["scores"].set_index(["method", "assay"])["auc"]
    assert auc["CLOOME", "of_images"] > 0.85
    assert auc["Profiles", "of_images"] > 0.85
    assert auc["Well position only", "of_rows"] > 0.95
    assert abs(auc["Plate only", "of_images"] - 0.5) < 0.2, "a compound is on all plates alike"
    metrics = outputs["metrics"].set_index(["method", "metric"])
    assert metrics.index.is_unique
    assert set(metrics.index.get_level_values("method")) == METHODS | {"Random"}
    assert metrics.loc[("CLOOME", "assays not scored"), "value"] == 1
    assert metrics.loc[("CLOOME", "mean AUC"), "low"] > 0.5
    assert metrics.loc[("Random", "mean AUC"), "value"] == 0.5
    differences = outputs["differences"]
    assert set(differences["method"]) == {"CLOOME"}
    assert set(differences["against"]) == {f"method {name}" for name in METHODS - {"CLOOME"}}
    found = differences.set_index("against").loc["method Cell count only"]
    assert found["low"] > 0
    gap = metrics.loc[("CLOOME", "mean AUC"), "value"] - metrics.loc[("Cell count only", "mean AUC"), "value"]
    assert found["difference"] == pytest.approx(gap)


def test_a_sample_can_be_a_field(screen, outputs):
    found = probe(screen, outputs, probing=PARAMETERS.model_copy(update={"level": "field"}))
    assert set(found["scores"]["shown_by"]) == {"field"}
    columns = ["method", "assay", "test_actives"]
    samples, compounds = (t["scores"][columns].set_index(columns[:2]) for t in (found, outputs))
    assert (samples == REPLICATES * compounds).all().all()
    of_compounds = outputs["metrics"].query("metric == 'mean AUC'")["compounds"]
    assert found["metrics"].query("metric == 'mean AUC'")["compounds"].tolist() == of_compounds.tolist()


def test_row_order_of_tables_does_not_matter(screen, outputs):
    names = ("scaffold.examples", "labels", "field_profiles", "cell_counts")
    turned = {name: screen[name].sample(frac=1, random_state=2) for name in names}
    found = run({**screen, **turned})
    pd.testing.assert_frame_equal(found["scores"], outputs["scores"], atol=2e-3)


def test_a_screen_without_labels_has_empty_tables_and_a_warning(screen, outputs, caplog):
    others = screen["labels"].assign(inchikey=[inchikey(N + number) for number in range(N)])
    for labels in (screen["labels"][["inchikey"]].iloc[:0], others):
        caplog.clear()
        assert all(table.empty for table in probe(screen, outputs, labels=labels).values())
        assert "scaffold split: no compound has an assay label, so there is nothing to probe" in caplog.text


def test_methods_that_learned_nothing_are_not_probed(screen, outputs, caplog):
    """With none left there is nothing to probe."""
    methods = {name: dataclasses.replace(method, tasks=("retrieval",)) for name, method in outputs["methods"].items()}
    assert all(table.empty for table in probe(screen, {"methods": methods}).values())
    assert "scaffold split: no method has learned features of fields" in caplog.text


def test_a_fold_without_labels_leaves_all_assays_unscored(screen, outputs, caplog):
    found = probe(screen, outputs, labels=screen["labels"].iloc[:140])
    assert len(found["scores"]) == len(METHODS) * 5
    assert not found["scores"]["scored"].any()
    assert found["metrics"].empty
    assert found["differences"].empty
    assert "scaffold split: none of 5 assays can be scored" in caplog.text


def test_methods_without_features_are_left_out(screen, caplog):
    none = {"cell_counts": screen["cell_counts"].iloc[:0], "field_profiles": screen["field_profiles"].iloc[:0]}
    found = run({**screen, **none})
    assert set(found["scores"]["method"]) == METHODS - {"Profiles", "Cell count only"}
    assert "no field has a profile: the method Profiles is left out" in caplog.text


def test_a_field_without_a_profile_has_that_of_the_training_fold(screen, caplog):
    """Profiles are standardised on the training fold, so its mean is near 0: zeros in its place change little."""
    some = run({**screen, "field_profiles": screen["field_profiles"].iloc[5:]})
    assert set(some["scores"]["method"]) == METHODS
    assert "scaffold split: 5 of 720 fields have no profile" in caplog.text
    profiles, examples = some["methods"]["Profiles"].fields, screen["scaffold.examples"]
    ids, train = examples["field_id"], (examples["fold"] == "train").to_numpy()
    vectors = np.zeros((len(ids), 2), np.float32)
    vectors[5:] = profiles.of(ids[5:])
    vectors[:5] = vectors[5:][train[5:]].mean(axis=0)
    filled = dataclasses.replace(some["methods"]["Profiles"], fields=Embeddings(ids.to_numpy(), vectors, profiles.meta))
    again = probe(screen, {"methods": {"Profiles": filled}})["scores"]
    expected = some["scores"].query("method == 'Profiles'").reset_index(drop=True)
    pd.testing.assert_frame_equal(again, expected, atol=2e-3)


def test_the_published_label_matrix_is_probed_as_it_is(screen, cloome_data):
    """Of its compounds, no images are here: features are invented, with a signal for the first assay."""
    files = [str(cloome_data / "labels" / name) for name in ("row-compound-index.csv", "column-assay-index.csv")]
    published = schemas.assay_labels.validate(
        LabelMatrix(filepath=str(cloome_data / "labels" / "label-matrix.mtx"), rows=files[0], columns=files[1]).load()
    )
    generator = np.random.default_rng(0)
    given = read_labels(published, LabelColumns(), find_column)
    joined = labels_of_screen(given, published["inchikey"], pd.DataFrame({"compound_id": [], "inchikey": []}))
    labels, n = schemas.labels.validate(joined.labels), len(joined.labels)
    values = labels.drop(columns="inchikey").to_numpy()
    assert joined.joins.iloc[0].tolist() == ["inchikey", 10_574, 55_542, 0]
    assert (n, values.shape[1]) == (10_574, 209)
    assert ((values >= 0).sum(), (values == 1).sum()) == (55_542, 19_274)
    fields = pd.DataFrame({"plate": [f"P{i // 384}" for i in range(n)], "well": [WELLS[i % 384] for i in range(n)]})
    examples = make_examples(fields.assign(number=range(n)), generator.choice(FOLDS, n, p=(0.6, 0.2, 0.2)))
    examples["inchikey"] = labels["inchikey"]
    vectors = generator.normal(size=(n, 6))
    vectors[:, 0] += np.where(labels["600885"] == 1, 6, 0)
    ids, meta = examples["field_id"].to_numpy(str), {"split_hash": examples["split_hash"].iloc[0]}
    found = run(
        {
            **screen,
            "scaffold.cloome.field_embeddings": Embeddings(ids, unit(vectors), meta),
            "scaffold.cloome.compound_embeddings": Embeddings(labels["inchikey"].to_numpy(str), unit(vectors), meta),
            "scaffold.cloome.untrained_embeddings": Embeddings(ids, unit(vectors[:, 1:]), meta),
            "field_profiles": schemas.empty(schemas.field_profiles),
            "cell_counts": screen["cell_counts"].iloc[:0],
            "labels": labels,
            "scaffold.examples": examples,
            "params:probing": PARAMETERS.model_copy(update={"c_grid": [1.0]}),
        }
    )
    scores = found["scores"].set_index(["method", "assay"])
    counts = scores.loc["CLOOME", [name for name in scores if name.endswith("actives")]]
    assert counts.to_numpy().sum() == 55_542
    assert scores.loc[("CLOOME", "600885"), "auc"] > 0.9
    metrics = found["metrics"].set_index(["method", "metric"])
    of_nothing = metrics.loc[("Untrained", "mean AUC")]
    # Its assays share few compounds, so the mean of useless scores has a standard deviation of about 0.05.
    assert of_nothing["value"] == pytest.approx(0.5, abs=0.15)
    assert of_nothing["n"] == scores.loc["CLOOME", "scored"].sum() > 190


def test_parameters_are_typed_for_kedro():
    pipeline = create_pipeline("random", "random_tuned")
    types = TypeExtractor({"probing": pipeline}).extract_types_from_pipelines()
    assert types == {"study": StudyParameters, "probing": ProbingParameters}
    assert pipeline.inputs() == {
        "random_tuned.methods",
        "random.examples",
        "labels",
        "params:study",
        "params:probing",
        "params:seed",
    }
    assert pipeline.outputs() == {f"random_tuned.probing_{name}" for name in TABLES}
