"""`Asker`: questions with structures, images, fields and compounds, and what answers say about them."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import Cloome
from cloome_kedro.learning.checkpoint import save
from invented_index import SIDE, SMILES, build_small_index, images_of, screen_tables, small_content, small_model
from small_fusion import fit_ridge, fuse, image_model

pytest.importorskip("lancedb", reason="the extra `index` is not installed")
from cloome_kedro.asking import Asker
from cloome_kedro.index import Index
from cloome_kedro.index.build import update

pytestmark = pytest.mark.usefixtures("one_thread")
KEYS = dict(zip(SMILES, screen_tables()["compounds"]["inchikey"], strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_small_index(tmp_path_factory.mktemp("index"))


@pytest.fixture(scope="module")
def asker(folder):
    return Asker.open(folder, device="cpu")


def test_a_structure_finds_fields_by_its_embedding(asker):
    answer = asker.by_smiles(["CCO"], top=5)
    content = small_content()
    scores = content.field_vectors @ content.compound_vectors[0]
    best = content.fields["field_id"].iloc[np.argsort(-scores)[:5]]
    assert answer.hits["field_id"].tolist() == best.tolist()
    assert answer.direction == "compound to image"
    assert (answer.kind, answer.candidates) == ("fields", 18)


def test_a_structure_of_the_screen_is_recognised_in_any_spelling(asker):
    answer = asker.by_smiles("OC(=O)c1ccccc1OC(C)=O.[Na+].[Cl-]", kind="compounds", top=1)
    assert answer.hits["inchikey"].tolist() == [KEYS["aspirin"]]
    assert answer.hits["score"].iloc[0] == pytest.approx(1, abs=1e-5)
    assert answer.trained is True
    assert "aspirin" in answer.notes[0]
    assert "is in the screen, train fold: the model was trained on it" in answer.notes[0]


@pytest.mark.parametrize(
    ("name", "trained", "note"),
    [
        ("urea", False, "test fold: the model was not trained on it"),
        ("Benzene", True, "train fold: the model was trained on it"),
    ],
)
def test_an_answer_says_whether_the_model_was_trained_on_the_compound(asker, name, trained, note):
    answer = asker.by_compound(name)
    assert answer.trained is trained
    assert note in answer.notes[0]
    assert asker.by_compound(KEYS[name.lower()]).hits.equals(answer.hits)


def test_a_new_structure_and_a_stereoisomer_are_named(asker):
    answer = asker.by_smiles(["CCN", "C[C@@H](N)C(=O)O"])
    assert answer.queries["known"].tolist() == [False, False]
    assert answer.queries["trained"].tolist() == [False, False]
    assert answer.notes[0].endswith("is not in the screen")
    assert answer.notes[1].endswith(f"is not in the screen, but its stereoisomer {KEYS['alanine']} is")


def test_a_model_that_was_fitted_on_two_folds_was_trained_on_both(tmp_path):
    update(tmp_path, small_content(info={"fitted_on": ["train", "validation"]}, with_model=False))
    asker = Asker.open(tmp_path)
    assert [asker.by_compound(name).trained for name in ("ethanol", "phenol", "urea")] == [True, True, False]


def test_the_training_compounds_of_a_published_model_are_not_known(tmp_path):
    update(tmp_path, small_content(info={"split_hash": "unknown"}, with_model=False))
    answer = Asker.open(tmp_path).by_compound("ethanol")
    assert answer.trained is None
    assert "it is not known whether the model was trained" in answer.notes[0]


def test_images_of_a_known_plate_find_what_its_field_finds(asker):
    key = "s/P1/A03/1"
    by_images = asker.by_images(images_of([key]), top=8, plate="P1", texts=["mine"])
    by_field = asker.by_field(key, top=8)
    assert by_images.hits["inchikey"].tolist() == by_field.hits["inchikey"].tolist()
    np.testing.assert_allclose(by_images.hits["score"], by_field.hits["score"], atol=1e-5)
    assert by_images.direction == by_field.direction == "image to compound"
    assert by_images.trained is None
    assert by_field.trained is True
    assert "aspirin" in by_field.notes[0]


def test_a_well_and_a_control_can_be_asked_for(asker):
    well, field = asker.by_well("s/P1/A03"), asker.by_field("s/P1/A03/1")
    np.testing.assert_allclose(well.hits["score"], field.hits["score"], atol=1e-5)  # it has one field
    control = asker.by_field("s/P0/A09/1", kind="wells", top=2)
    assert control.direction is None
    assert control.hits["well_id"].iloc[0] == "s/P0/A09"
    assert control.trained is None


def test_hits_have_their_worth_and_candidate_sets(asker):
    answer = asker.by_compound("urea", kind="fields", top=18)
    worth = answer.hits["worth"].to_numpy()
    assert worth[-1] == 1
    assert (np.diff(worth) >= 0).all()
    assert worth[0] == pytest.approx(0.5 * 4 / 18)  # half of the matches are the first of 4
    assert [str(found) for found in answer.sets] == [
        "the match is among the first 9 of 18 with 90 % (measured 88.9 %, 84–93)"
    ]


def test_neither_is_known_on_one_side_or_with_a_condition(asker):
    same_side = asker.by_compound("urea", kind="compounds")
    assert same_side.hits["worth"].isna().all()
    assert same_side.sets == []
    chosen = asker.by_compound("urea", where="moa = 'solvent'")
    assert chosen.candidates == 4
    assert chosen.sets == []
    assert asker.by_compound("urea", where="moa = 'nothing'").hits.empty


def test_a_query_unlike_anything_is_told_so(tmp_path):
    familiarity = pd.DataFrame(
        [
            {"side": "compound", "measure": "Tanimoto", "apart": False, "q01": 0.3},
            {"side": "compound", "measure": "cosine", "apart": False, "q01": -1.0},
            {"side": "image", "measure": "cosine", "apart": True, "q01": 1.1},
        ]
    )
    content = small_content()
    content.tables["familiarity"] = familiarity
    update(tmp_path, content)
    asker = Asker.open(tmp_path, "cpu")
    assert asker.by_smiles(["CCO"]).warnings == []
    (warning,) = asker.by_smiles(["FC(F)(F)S(=O)(=O)N=[N+]=[N-]"]).warnings
    assert "is unlike anything seen" in warning
    assert "Tanimoto coefficient 0." in warning
    (warning,) = asker.by_field("s/P0/A01/1").warnings
    # the nearest training field of the other plate, not the field itself
    field = asker.index.vectors("fields", ["s/P0/A01/1"])[0]
    training = asker.index.rows("fields", "plate = 'P1' AND fold = 'train'")["field_id"]
    assert f"{(asker.index.vectors('fields', training) @ field).max():.2f}" in warning


def test_without_the_table_the_limit_is_that_of_the_index(asker, monkeypatch):
    assert asker.by_field("s/P0/A01/1").warnings == []
    monkeypatch.setitem(asker.index.info, "familiar", {"fields": 1.1, "compounds": 1.1})
    assert "is unlike anything seen" in asker.by_field("s/P0/A01/1").warnings[0]
    assert "is unlike anything seen" in asker.by_compound("urea").warnings[0]


def raw(value, dtype=np.uint16, channels=5):
    return np.random.default_rng(0).integers(value // 2, value, (1, channels, 2 * SIDE, 2 * SIDE)).astype(dtype)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (raw(1000, channels=4), {"plate": "P0"}, r"the shape of fields must be \(N, 5, H, W\)"),
        (raw(1000, np.float32), {"plate": "P0"}, "must be uint8 .* or uint16 .*, not float32"),
        (raw(60_000), {"plate": "P0"}, "another order of magnitude than the plate: .* threshold of the plate is 1,000"),
        (raw(20), {"plate": "P0"}, "another order of magnitude"),
        (raw(1000), {}, r"name the plate of the screen .* one of P0, P1 \(2 plates\)"),
        (raw(1000), {"plate": "P9"}, "there is no plate 'P9'"),
        ([], {"plate": "P0"}, "there is no image"),
        ([["a.tif"] * 3], {"plate": "P0"}, "field 0 has 3 files"),
        ([[f"{channel}.tif" for channel in "abcde"]], {"plate": "P0"}, "a.tif does not exist"),
    ],
)
def test_bad_images_are_refused(asker, images, options, message):
    with pytest.raises(ValueError, match=message):
        asker.by_images(images, **options)


def test_raw_images_are_scaled_by_the_thresholds_of_their_plate(asker):
    images = raw(1000)
    answer = asker.by_images(images, plate="P0", top=8)
    statistics = {"mean": [100.0] * 5, "std": [50.0] * 5}
    vectors = small_model().embed_fields(images, thresholds=[1000] * 5, statistics=statistics)
    expected = asker.index.search(vectors, "compounds", 8)
    np.testing.assert_allclose(answer.hits["score"], expected["score"], atol=1e-6)


def test_flat_images_are_a_warning_of_the_answer(asker):
    answer = asker.by_images(np.full((1, 5, SIDE, SIDE), 7, np.uint8), plate="P0")
    assert any("have the same value in all pixels" in warning for warning in answer.warnings)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda asker: asker.by_smiles(["CCO", "CC("]), "the SMILES 'CC\\(' cannot be embedded: not a SMILES"),
        (lambda asker: asker.by_smiles([]), "there is no query"),
        (lambda asker: asker.by_compound("aspirine"), "no compound 'aspirine'; the nearest are: aspirin"),
        (lambda asker: asker.by_field("s/P0/A01/7"), "no field 's/P0/A01/7'; the nearest are: s/P0/A01/1"),
        (lambda asker: asker.by_compound("urea", where="mao = 1"), "The columns of fields are"),
        (lambda asker: asker.by_compound("urea", kind="plates"), "has no 'plates'"),
    ],
)
def test_bad_questions_are_one_line(asker, ask, message):
    with pytest.raises(ValueError, match=message) as error:
        ask(asker)
    assert "\n" not in str(error.value)


def test_two_compounds_of_one_name_need_an_inchikey(tmp_path):
    content = small_content(with_model=False)
    content.compounds["compound"] = "twin"
    update(tmp_path, content)
    with pytest.raises(ValueError, match="8 compounds have the name 'twin': give an InChIKey of"):
        Asker.open(tmp_path).by_compound("twin")


def test_a_model_without_structures_names_one_that_sees_them(tmp_path):
    update(tmp_path, small_content(info={"label": "Ridge", "accepts": {"smiles": False, "images": False}}))
    asker = Asker.open(tmp_path)
    for ask in (lambda: asker.by_smiles(["CCO"]), lambda: asker.by_images(images_of(["a"]))):
        with pytest.raises(ValueError, match=r"the model Ridge cannot embed new .*: ask CLOOME \(model cloome\)"):
            ask()
    assert len(asker.by_compound("urea", top=3).hits) == 3


def test_a_folder_without_a_model_answers_with_what_it_has(tmp_path):
    update(tmp_path, small_content(with_model=False))
    asker = Asker.open(tmp_path)
    assert len(asker.by_compound("urea", top=3).hits) == 3
    with pytest.raises(ValueError, match="has no model, so it answers questions about its fields and compounds only"):
        asker.by_smiles(["CCO"])


def test_the_model_of_another_index_is_refused(tmp_path):
    update(tmp_path, small_content(info={"weights": "other"}))
    for ask in (
        lambda: Asker.open(tmp_path, "cpu").by_smiles(["CCO"]),
        lambda: small_model().query(tmp_path, smiles="CCO"),
    ):
        with pytest.raises(ValueError, match="holds embeddings of the model other of s, but the model given is"):
            ask()


# ---- a fusion of the model with a ridge


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """Folder of the index of a fusion, whose ridge was fitted on validation compounds, too."""
    folder = tmp_path_factory.mktemp("fusion")
    made = fuse({"cloome": image_model(), "ridge": fit_ridge(folder, refit=True)}, weights={"cloome": 1, "ridge": 1})
    content = small_content()
    meta = made["field_embeddings"].meta
    can = {"cloome": (True, True), "ridge": (True, False), "fusion": (True, False)}
    models = {
        name: {"label": name.upper(), "smiles": smiles, "images": images} for name, (smiles, images) in can.items()
    }
    facts = {
        "weights": meta["weights"],
        "fitted_on": meta["fitted_on"],
        "label": "FUSION",
        "parts": list(meta["parts"]),
    }
    content = replace(
        content,
        info=content.info | facts | {"models": models, "accepts": {"smiles": True, "images": False}},
        field_vectors=made["field_embeddings"].of(content.fields["field_id"]),
        compound_vectors=made["compound_embeddings"].of(content.compounds["inchikey"]),
        save_model=partial(save, made["checkpoint"]),
    )
    update(folder / "index", content)
    return folder / "index"


def test_a_fusion_answers_structures(fused):
    asker = Asker.open(fused, device="cpu")
    by_smiles, by_name = asker.by_smiles(["OC(=O)c1ccccc1OC(C)=O"], top=5), asker.by_compound("aspirin", top=5)
    np.testing.assert_allclose(by_smiles.hits["score"], by_name.hits["score"], atol=1e-5)
    assert by_smiles.hits["field_id"].tolist() == by_name.hits["field_id"].tolist()
    assert len(asker.by_smiles(["CCCCO"], kind="wells", top=3).hits) == 3


def test_compounds_of_the_last_fit_of_a_part_were_trained_on(fused):
    asker = Asker.open(fused)
    assert [asker.by_compound(name).trained for name in ("ethanol", "phenol", "urea")] == [True, True, False]


def test_images_are_refused_because_of_a_part(fused):
    message = r"FUSION cannot embed new images, because its part RIDGE cannot: ask CLOOME \(model cloome\)"
    with pytest.raises(ValueError, match=message):
        Asker.open(fused).by_images(images_of(["a"]), plate="P0")


def test_a_fusion_queries_an_index(fused):
    model = Cloome.load(fused / "model", device="cpu")
    assert model.query(fused, smiles="CCO", top=2).equals(Asker.open(fused, "cpu").by_smiles(["CCO"], top=2).hits)


# ---- the same by `Cloome`


def test_cloome_queries_an_index(asker, folder):
    model = Cloome.load(folder / "model", device="cpu")
    hits = model.query(folder, smiles="CCO", top=3)
    assert hits.equals(asker.by_smiles(["CCO"], top=3).hits)
    by_image = model.query(Index.open(folder), images=images_of(["s/P0/A01/1"]), plate="P0", kind="fields", top=1)
    assert by_image["field_id"].tolist() == ["s/P0/A01/1"]
    for given in ({}, {"smiles": "CCO", "images": images_of(["a"])}):
        with pytest.raises(ValueError, match="give either smiles or images"):
            model.query(folder, **given)


def test_cloome_embeds_what_it_is_given():
    model = small_model()
    np.testing.assert_array_equal(model.embed(iter(["CCO", "CCN"])), model.embed_structures(["CCO", "CCN"]))
    statistics = {"mean": [100.0] * 5, "std": [50.0] * 5}
    images = images_of(["a", "b"])
    np.testing.assert_array_equal(
        model.embed(images, statistics=statistics), model.embed_fields(images, statistics=statistics)
    )
    with pytest.raises(TypeError, match="fields must be one array"):
        model.embed("CCO", statistics=statistics)
