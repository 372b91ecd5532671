"""The probing pipeline on a small planted screen, through Kedro's own runner."""

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.datasets.embeddings import Embeddings
from cloome_kedro.datasets.label_matrix import LabelMatrix
from cloome_kedro.parameters import ProbingParameters
from cloome_kedro.pipelines.probing import create_pipeline

N, REPLICATES = 240, 3
FOLDS = ["train", "validation", "test"]
WELLS = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
OUTPUTS = ("probing_scores", "probing_metrics", "probing_differences")
PARAMETERS = ProbingParameters(c_grid=[0.01, 1, 100], resamples=200)


def inchikey(number):
    letters = "".join(chr(65 + int(digit)) for digit in f"{number:014d}")
    return f"{letters}-ABCDEFGHIJ-N"


@pytest.fixture(scope="module")
def screen(one_thread):
    """240 compounds, a field on each of three plates; two assays follow the images, one the well, one nothing."""
    generator = np.random.default_rng(0)
    keys = [inchikey(number) for number in range(N)]
    folds = pd.DataFrame({"inchikey": keys, "fold": ["train"] * 140 + ["validation"] * 50 + ["test"] * 50})
    order = generator.permutation(N)
    wells = [f"{chr(65 + i // 20)}{i % 20 + 1:02d}" for i in order]
    fields = pd.DataFrame(
        {"plate": f"P{plate}", "well": well, "inchikey": key, "number": number}
        for plate in range(REPLICATES)
        for number, (well, key) in enumerate(zip(wells, keys, strict=True))
    )
    fields["field_id"] = "s/" + fields["plate"] + "/" + fields["well"] + "/0"
    latent = generator.normal(size=(N, 8))
    noisy = latent[fields["number"]] + generator.normal(0, 1, (len(fields), 8))
    meta = {"split_hash": split_hash(folds)}
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
    labels.insert(0, "compound_id", [f"c{i}" for i in range(N)])
    ids = fields["field_id"].to_numpy(str)
    return {
        "image_embeddings": Embeddings(ids, unit(noisy), meta),
        "untrained_embeddings": Embeddings(ids, unit(noisy @ generator.normal(size=(8, 1)) * np.ones((1, 4))), meta),
        "field_profiles": pd.DataFrame(noisy[:, :2] * 7 + 3, columns=["one", "two"]).assign(field_id=ids),
        "cell_counts": pd.DataFrame({"field_id": ids, "nuclei": generator.poisson(20, len(ids)).astype(float)}),
        "assay_labels": schemas.assay_labels.validate(labels),
        "compound_keys": pd.DataFrame({"compound_id": [f"c{i}" for i in range(N)], "inchikey": keys}),
        "pairs": fields,
        "folds": folds,
        "params:probing": PARAMETERS,
        "params:seed": 0,
    }


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def run(inputs):
    catalog = DataCatalog({name: MemoryDataset(value) for name, value in inputs.items()})
    found = SequentialRunner().run(create_pipeline("scaffold"), catalog)
    tables = {name: found[name].load() for name in OUTPUTS}
    for name, table in tables.items():
        schema = {"probing_metrics": "metrics", "probing_differences": "differences"}.get(name, name)
        getattr(schemas, schema).validate(table)
    return tables


@pytest.fixture(scope="module")
def outputs(screen):
    return run(screen)


METHODS = {"CLOOME", "Untrained", "Profiles", "Plate only", "Well position only", "Cell count only"}


def test_every_method_is_scored_on_the_same_assays(screen, outputs):
    scores = outputs["probing_scores"]
    assert set(scores["method"]) == METHODS
    assert set(scores["split"]) == {"scaffold"}
    assert set(scores["split_hash"]) == {split_hash(screen["folds"])}
    counts = [name for name in scores if name.endswith("actives")]
    for _, assay in scores.groupby("assay"):
        assert len(assay) == len(METHODS)
        assert (assay[counts].nunique() == 1).all()
    left = scores[~scores["scored"]]
    assert set(left["assay"]) == {"without_actives"}
    assert left["reason"].str.contains("active").all()


def test_probes_tell_images_from_confounders(outputs):
    auc = outputs["probing_scores"].set_index(["method", "assay"])["auc"]
    assert auc["CLOOME", "of_images"] > 0.85
    assert auc["Profiles", "of_images"] > 0.85
    assert auc["Well position only", "of_rows"] > 0.95
    assert abs(auc["Plate only", "of_images"] - 0.5) < 0.2, "a compound is on all plates alike"
    metrics = outputs["probing_metrics"].set_index(["method", "metric"])
    assert metrics.index.is_unique
    assert set(metrics.index.get_level_values("method")) == METHODS | {"Random"}
    assert metrics.loc[("CLOOME", "assays not scored"), "value"] == 1
    assert metrics.loc[("CLOOME", "mean AUC"), "low"] > 0.5
    assert metrics.loc[("Random", "mean AUC"), "value"] == 0.5
    differences = outputs["probing_differences"]
    assert set(differences["method"]) == {"CLOOME"}
    assert set(differences["against"]) == {f"method {name}" for name in METHODS - {"CLOOME"}}
    found = differences.set_index("against").loc["method Cell count only"]
    assert found["low"] > 0
    gap = metrics.loc[("CLOOME", "mean AUC"), "value"] - metrics.loc[("Cell count only", "mean AUC"), "value"]
    assert found["difference"] == pytest.approx(gap)


def test_a_sample_can_be_a_field(screen, outputs):
    found = run({**screen, "params:probing": PARAMETERS.model_copy(update={"level": "field"})})
    assert set(found["probing_scores"]["shown_by"]) == {"field"}
    columns = ["method", "assay", "test_actives"]
    samples, compounds = (t["probing_scores"][columns].set_index(columns[:2]) for t in (found, outputs))
    assert (samples == REPLICATES * compounds).all().all()
    of_compounds = outputs["probing_metrics"].query("metric == 'mean AUC'")["compounds"]
    assert found["probing_metrics"].query("metric == 'mean AUC'")["compounds"].tolist() == of_compounds.tolist()


def test_row_order_of_tables_does_not_matter(screen, outputs):
    names = ("pairs", "folds", "assay_labels", "compound_keys", "field_profiles", "cell_counts")
    turned = {name: screen[name].sample(frac=1, random_state=2) for name in names}
    found = run({**screen, **turned})
    pd.testing.assert_frame_equal(found["probing_scores"], outputs["probing_scores"], atol=2e-3)


def test_labels_by_inchikey_are_those_by_compound_id(screen, outputs):
    keyed = screen["assay_labels"].merge(screen["compound_keys"], on="compound_id").drop(columns="compound_id")
    found = run({**screen, "assay_labels": schemas.assay_labels.validate(keyed)})
    pd.testing.assert_frame_equal(found["probing_scores"], outputs["probing_scores"])


def test_a_screen_without_labels_has_empty_tables_and_a_warning(screen, caplog):
    for labels in (
        pd.DataFrame(columns=["compound_id"]),
        screen["assay_labels"].assign(compound_id=lambda t: "x" + t["compound_id"]),
    ):
        caplog.clear()
        assert all(table.empty for table in run({**screen, "assay_labels": labels}).values())
        assert "scaffold: no compound of the screen has an assay label" in caplog.text


def test_a_fold_without_labels_leaves_all_assays_unscored(screen, caplog):
    few = screen["assay_labels"].iloc[:140]
    found = run({**screen, "assay_labels": few})
    assert len(found["probing_scores"]) == len(METHODS) * 5
    assert not found["probing_scores"]["scored"].any()
    assert found["probing_metrics"].empty
    assert found["probing_differences"].empty
    assert "scaffold: none of 5 assays can be scored" in caplog.text


def test_ids_that_disagree_are_told(screen, caplog):
    twin = screen["assay_labels"].iloc[:1].assign(compound_id="twin")
    twin.iloc[:, 1:] = 1 - twin.iloc[:, 1:]
    labels = pd.concat([screen["assay_labels"], twin])
    key = pd.DataFrame({"compound_id": ["twin"], "inchikey": [inchikey(0)]})
    run({**screen, "assay_labels": labels, "compound_keys": pd.concat([screen["compound_keys"], key])})
    conflicts = int(screen["assay_labels"].iloc[0, 1:].notna().sum())
    assert conflicts > 0
    assert f"{conflicts} labels count as not measured" in caplog.text


def test_methods_without_features_are_left_out(screen, caplog):
    none = {"cell_counts": screen["cell_counts"].iloc[:0], "field_profiles": screen["field_profiles"].iloc[:0]}
    found = run({**screen, **none})
    assert set(found["probing_scores"]["method"]) == METHODS - {"Profiles", "Cell count only"}
    assert "no field has a profile: the method Profiles is left out" in caplog.text
    some = run({**screen, "field_profiles": screen["field_profiles"].iloc[5:]})
    assert set(some["probing_scores"]["method"]) == METHODS
    assert "scaffold: 5 of 720 fields have no profile" in caplog.text


def test_embeddings_of_other_folds_are_refused(screen):
    for name in ("image_embeddings", "untrained_embeddings"):
        other = Embeddings(screen[name].keys, screen[name].vectors, {"split_hash": "0123456789abcdef"})
        with pytest.raises(ValueError, match=rf"scaffold\.{name} are of folds 0123456789abcdef, not of"):
            run({**screen, name: other})


def test_the_published_label_matrix_is_probed_as_it_is(screen, cloome_data, caplog):
    """Of its compounds, no images are here: features are invented, with a signal for the first assay."""
    caplog.set_level("INFO", "cloome_kedro")
    files = [str(cloome_data / "labels" / name) for name in ("row-compound-index.csv", "column-assay-index.csv")]
    labels = LabelMatrix(
        filepath=str(cloome_data / "labels" / "label-matrix.mtx"), rows=files[0], columns=files[1]
    ).load()
    generator = np.random.default_rng(0)
    keys, n = labels["inchikey"], len(labels)
    folds = pd.DataFrame({"inchikey": keys, "fold": generator.choice(FOLDS, n, p=(0.6, 0.2, 0.2))})
    wells = pd.DataFrame({"plate": [f"P{i // 384}" for i in range(n)], "well": [WELLS[i % 384] for i in range(n)]})
    fields = wells.assign(inchikey=keys, field_id="s/" + wells["plate"] + "/" + wells["well"] + "/0")
    vectors = generator.normal(size=(n, 6))
    vectors[:, 0] += np.where(labels["600885"] == 1, 6, 0)
    ids, meta = fields["field_id"].to_numpy(str), {"split_hash": split_hash(folds)}
    found = run(
        {
            **screen,
            "image_embeddings": Embeddings(ids, unit(vectors), meta),
            "untrained_embeddings": Embeddings(ids, unit(vectors[:, 1:]), meta),
            "field_profiles": pd.DataFrame({"field_id": []}),
            "cell_counts": screen["cell_counts"].iloc[:0],
            "assay_labels": schemas.assay_labels.validate(labels),
            "compound_keys": screen["compound_keys"].iloc[:0],
            "pairs": fields,
            "folds": folds,
            "params:probing": PARAMETERS.model_copy(update={"c_grid": [1.0]}),
        }
    )
    assert "10574 of 10574 labelled compounds are in the screen, with 55542 labels (19274 active) in 209" in caplog.text
    scores = found["probing_scores"].set_index(["method", "assay"])
    counts = scores.loc["CLOOME", [name for name in scores if name.endswith("actives")]]
    assert counts.to_numpy().sum() == 55_542
    assert scores.loc[("CLOOME", "600885"), "auc"] > 0.9
    metrics = found["probing_metrics"].set_index(["method", "metric"])
    of_nothing = metrics.loc[("Untrained", "mean AUC")]
    # Its assays share few compounds, so the mean of useless scores has a standard deviation of about 0.05.
    assert of_nothing["value"] == pytest.approx(0.5, abs=0.15)
    assert of_nothing["n"] == scores.loc["CLOOME", "scored"].sum() > 190


def test_parameters_are_typed_for_kedro():
    from kedro.validation.type_extractor import TypeExtractor

    found = TypeExtractor({"probing": create_pipeline("random")}).extract_types_from_pipelines()
    assert found == {"probing": ProbingParameters}
