"""Pipeline `index`: which models accept what, and what the node gathers."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.index import content as content_of_index
from cloome_kedro.index.content import well_rows
from cloome_kedro.parameters import IndexParameters, RetrievalParameters, StudyParameters, UncertaintyParameters
from cloome_kedro.pipelines.index import create_pipeline, nodes
from cloome_kedro.study_models import Model, study_models
from environments import configured
from invented_index import FINGERPRINTS, SIDE, images_of, screen_tables, small_checkpoint, small_content


class Fingerprints:
    """Stand-in of the dataset of this name."""

    settings = FINGERPRINTS
    packed = np.arange(8 * 8, dtype=np.uint8).reshape(8, 8)


@pytest.fixture
def inputs(tmp_path):
    """Arguments of the node."""
    tables, content = screen_tables(), small_content()
    store = PlateStore(tmp_path)
    for plate, fields in tables["fields"].groupby("plate_file"):
        with store.writer(plate, "d", {}) as writer:
            for image in images_of(fields["field_id"]):
                writer.append(image)
            writer.commit(pd.DataFrame({"field_id": fields["field_id"], "row": fields["row"]}))
    meta = {"split_hash": "abc", "weights": small_checkpoint().weights, "normalised": True, "seed": 0}
    return {
        **{name: tables[name] for name in ("fields", "pairs", "compounds", "examples", "plate_statistics")},
        "fingerprints": Fingerprints(),
        "familiarity": pd.DataFrame({"method": ["CLOOME", "Ridge", None]}),
        "field_embeddings": Embeddings(content.fields["field_id"].to_numpy(), content.field_vectors, meta),
        "compound_embeddings": Embeddings(content.compounds["inchikey"].to_numpy(), content.compound_vectors, meta),
        "study": StudyParameters(screen="s", simulated=True, models={"cloome": "CLOOME", "ridge": "Ridge"}),
        "index": IndexParameters(thumbnail=8),
        "retrieval": RetrievalParameters(**configured("parameters")["retrieval"]),
        "uncertainty": UncertaintyParameters(),
        "seed": 0,
        "name": "cloome",
        "accepts": {name: {"smiles": name == "cloome", "images": False} for name in ("cloome", "ridge")},
        "checkpoint": small_checkpoint(),
        "plate_store": store,
    }


def test_every_model_is_indexed_with_what_it_accepts():
    models = study_models(configured("globals")["models"], configured("parameters")["models"])
    pipeline = create_pipeline("random", models)
    assert set(pipeline.outputs()) == {f"random.{model.name}.index" for model in models}
    accepts = pipeline.nodes[0].func.keywords["accepts"]
    assert {name: (sides["smiles"], sides["images"]) for name, sides in accepts.items()} == {
        "cloome": (True, True),
        "profiles": (True, False),
        "ridge": (True, False),
        "fusion": (True, False),
        "bilinear": (True, False),
    }
    for node in pipeline.nodes:
        assert f"random.{node.namespace.removeprefix('random.models.')}.checkpoint" in node.inputs
        assert node.func.keywords["parts"] == (("cloome", "profiles", "ridge") if "fusion" in node.namespace else ())
    assert "plate_store" not in create_pipeline("random", models, images=False).inputs()


def test_a_fusion_accepts_what_all_its_parts_accept():
    images = Model("images", compound_sources=("fingerprints",), sees_images=True)
    table = Model("table", compound_sources=("dino_features",), sees_images=True)
    fusions = [Model(name, kind="fusion", parts=("images", name[3:])) for name in ("of_images", "of_table")]
    accepts = create_pipeline("random", [images, table, *fusions]).nodes[0].func.keywords["accepts"]
    assert accepts["of_images"] == {"smiles": True, "images": True}
    assert accepts["of_table"] == {"smiles": False, "images": True}


def test_the_content_is_that_of_the_model(inputs):
    made, expected = nodes.index_embeddings(**inputs), small_content()
    pd.testing.assert_frame_equal(made.fields, expected.fields)
    pd.testing.assert_frame_equal(made.compounds, expected.compounds)
    np.testing.assert_array_equal(made.field_vectors, expected.field_vectors)
    assert made.tables["familiarity"]["method"].isna().tolist() == [False, True]
    assert made.tables["fingerprints"]["bits"].tolist() == [bytes(row) for row in Fingerprints.packed[:4]]
    assert made.tables["plate_statistics"]["threshold"].tolist() == [1000.0] * 10
    assert made.info["models"]["ridge"] == {"label": "Ridge", "smiles": False, "images": False}


def test_wells_have_the_weights_of_the_model(inputs, monkeypatch):
    pooled = []
    monkeypatch.setattr(
        content_of_index, "well_rows", lambda *arguments: pooled.append(arguments[3]) or well_rows(*arguments)
    )
    fields = inputs["field_embeddings"]
    logits = np.random.default_rng(0).normal(size=len(fields.keys)).astype(np.float32)
    content = nodes.index_embeddings(**inputs | {"field_embeddings": replace(fields, logits=logits)})
    expected = pd.Series(logits, fields.keys).loc[content.fields["field_id"]]
    np.testing.assert_array_equal(content.field_logits, expected)
    content.rows()
    assert [logits is content.field_logits for logits in pooled] == [True, True], "measured searches and the index"


def test_searches_are_measured_among_all_rows(inputs):
    made = nodes.index_embeddings(**inputs)
    sizes = {kind: len(rows) for kind, (rows, _) in made.rows().items()}
    test = inputs["examples"].loc[inputs["examples"]["fold"] == "test", "inchikey"].unique()
    ranks = made.tables["ranks"]
    assert ranks["searched"].value_counts().to_dict() == dict.fromkeys(sizes, len(test))
    assert ranks["candidates"].tolist() == ranks["searched"].map(sizes).tolist()
    sets = made.tables["candidate_sets"]
    assert set(sets["searched"]) == set(sizes)
    assert (sets["compounds"] == len(test)).all()
    # one compound of the test fold: its rank among all wells, counted by hand
    key = sorted(test)[0]
    wells, vectors = made.rows()["wells"]
    scores = vectors @ made.compound_vectors[made.compounds["inchikey"].eq(key).to_numpy().argmax()]
    own = wells["inchikey"].eq(key).to_numpy()
    rank = 1 + int((scores[~own] >= scores[own].max()).sum())
    assert ranks.loc[ranks["searched"] == "wells", "rank"].iloc[0] == rank


def test_the_test_fold_is_not_read_if_evaluation_may_not(inputs):
    retrieval = RetrievalParameters(**configured("parameters")["retrieval"] | {"fold": "validation"})
    made = nodes.index_embeddings(**inputs | {"retrieval": retrieval})
    assert made.tables["ranks"].empty
    assert made.tables["candidate_sets"]["coverage"].isna().all()


def test_thumbnails_are_area_averages_of_stored_fields(inputs):
    keys = inputs["fields"]["field_id"].to_numpy()[[3, 12]]
    made = nodes.index_embeddings(**inputs).read_thumbnails(keys)
    blocks = images_of(keys).reshape(2, 5, 8, SIDE // 8, 8, SIDE // 8).mean(axis=(3, 5))
    np.testing.assert_array_equal(made, np.rint(blocks))
    larger = nodes.index_embeddings(**inputs | {"index": IndexParameters(thumbnail=500)})
    np.testing.assert_array_equal(larger.read_thumbnails(keys), images_of(keys))


def test_fields_without_an_embedding_are_left_out(inputs):
    known = inputs["field_embeddings"]
    inputs["field_embeddings"] = Embeddings(known.keys[::-2], known.vectors[::-2], known.meta)
    made = nodes.index_embeddings(**inputs)
    assert set(made.fields["field_id"]) == set(known.keys[::-2])
    np.testing.assert_array_equal(made.field_vectors, known.of(made.fields["field_id"]))


def test_other_splits_and_weights_are_refused(inputs):
    known = inputs["field_embeddings"]
    for meta, message in (
        ({"split_hash": "other"}, "run training and embedding of this split again"),
        ({"weights": "other"}, "fields are embedded by the model other"),
    ):
        with pytest.raises(ValueError, match=message):
            nodes.index_embeddings(**inputs | {"field_embeddings": replace(known, meta=known.meta | meta)})
    both = {
        name: replace(inputs[name], meta=known.meta | {"weights": "other"})
        for name in ("field_embeddings", "compound_embeddings")
    }
    with pytest.raises(ValueError, match="but the checkpoint is"):
        nodes.index_embeddings(**inputs | both)


def test_a_screen_without_images_has_no_thumbnails(inputs):
    made = nodes.index_embeddings(**inputs | {"plate_store": None, "plate_statistics": None})
    assert made.read_thumbnails is None
    assert made.info["thumbnail_side"] is None
    assert made.tables["plate_statistics"].empty


def test_tables_at_a_uri_are_in_a_folder_of_the_model(inputs):
    made = nodes.index_embeddings(**inputs | {"index": IndexParameters(uri="s3://bucket/folder/")})
    assert made.uri == f"s3://bucket/folder/s/random/cloome/{small_checkpoint().weights}"
    with pytest.raises(ValueError, match="uri"):
        IndexParameters(uri="folder")
