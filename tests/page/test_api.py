"""The JSON interface: indexes, plates, maps, answers, drawings, and one sentence for each mistake."""

import numpy as np
import pytest

import small_index
from cloome_kedro.asking import Asker
from cloome_kedro.reporting.montage import COLOURS

CLOOME, RIDGE = "/api/indexes/made_up-random-cloome", "/api/indexes/made_up-random-ridge"
ODD_PLATE = small_index.PLATES[1]
ODD_MECHANISM = "O'Neill's \"mechanism\" 100 %"


@pytest.fixture(scope="module")
def get(client):
    def get(path, status=200, **parameters):
        answer = client.get(path, params=parameters)
        assert answer.status_code == status, answer.text
        return answer.json()

    return get


def test_indexes_are_listed_and_described(get):
    assert [index["id"] for index in get("/api/indexes")] == ["made_up-random-cloome", "made_up-random-ridge"]
    details = get(CLOOME)
    assert details["simulated"] is True
    assert details["counts"] == {"fields": 48, "wells": 24, "compounds": 7}
    assert details["mechanisms"] == ["adenosine antagonist", "antiseptic", "COX inhibitor", ODD_MECHANISM, "solvent"]
    assert details["folds"] == ["train", "validation", "test", "control"]
    assert list(details["colours"]) == list(COLOURS)
    assert all(low < high for low, high in details["limits"])
    ridge = get(RIDGE)
    assert (ridge["thumbnail"], ridge["limits"]) == (None, None)
    assert ridge["advice"] == (
        "Ridge cannot embed new structures. CLOOME can. Ridge cannot embed new images. CLOOME can."
    )


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("smiles", "CCO", "fields"),
        ("compound", "aspirin", "fields"),
        ("field", "made_up/P1/A01/1", "compounds"),
        ("well", f"made_up/{ODD_PLATE}/B02", "compounds"),
    ],
)
def test_an_answer_is_that_of_the_asker(get, index_folders, name, value, kind):
    asker = Asker.open(index_folders[0], device="cpu")
    expected = getattr(asker, f"by_{name}")([value] if name == "smiles" else value, kind, 5)
    found = get(f"{CLOOME}/answer", **{name: value}, top=5)
    assert found["kind"] == kind
    key = "field_id" if kind == "fields" else "inchikey"
    assert [hit["key"] for hit in found["hits"]] == expected.hits[key].tolist()
    np.testing.assert_allclose([hit["score"] for hit in found["hits"]], expected.hits["score"], atol=1e-6)
    np.testing.assert_allclose([hit["worth"] for hit in found["hits"]], expected.hits["worth"], atol=1e-9)
    assert [each["text"] for each in found["sets"]] == list(map(str, expected.sets))
    assert len(found["sets"]) == 2
    assert (found["notes"], found["warnings"]) == (expected.notes, expected.warnings)
    assert found["asked"]["trained"] == expected.trained
    assert found["search"] == f"{expected.candidates} {kind} searched"
    assert len(found["asked"]["fields"]) == {"field": 1, "well": 2}.get(name, 0)


def test_hits_of_the_same_side_have_no_worth(get):
    found = get(f"{CLOOME}/answer", field="made_up/P1/A01/1", kind="fields", top=3)
    assert found["direction"] is None
    assert found["sets"] == []
    assert found["hits"][0]["key"] == "made_up/P1/A01/1"
    assert {hit["worth"] for hit in found["hits"]} == {None}


@pytest.mark.parametrize(
    ("filters", "is_right"),
    [
        ({"moa": "solvent"}, lambda hit: "solvent" in hit["moa"].split("|")),
        ({"moa": ODD_MECHANISM}, lambda hit: hit["moa"] == ODD_MECHANISM),
        ({"plate": ODD_PLATE}, lambda hit: hit["plate"] == ODD_PLATE),
        ({"fold": "test"}, lambda hit: hit["fold"] == "test"),
        ({"fold": "control"}, lambda hit: hit["control"]),
        ({"fold": "train", "plate": "P1"}, lambda hit: (hit["fold"], hit["plate"]) == ("train", "P1")),
    ],
)
def test_filters_choose_fields(get, filters, is_right):
    fields, _ = small_index.tables()
    expected = sum(
        is_right({"moa": None, **row} | {"moa": row["moa"] or "", "fold": row["fold"]})
        for row in fields.astype(object).where(fields.notna(), None).to_dict("records")
    )
    found = get(f"{CLOOME}/answer", smiles="CCO", top=100, **filters)
    assert found["hits"]
    assert all(map(is_right, found["hits"]))
    assert len(found["hits"]) == found["candidates"] == expected


def test_filters_choose_compounds(get):
    def found(**filters):
        hits = get(f"{CLOOME}/answer", well="made_up/P1/A01", top=100, **filters)["hits"]
        return {hit["compound"] for hit in hits}

    assert found(moa="solvent") == {"ethanol", "phenol"}
    assert found(fold="test") == {"caffeine", '<b onclick="alert(1)">bold</b>'}
    assert found(fold="control") == set()
    fields, _ = small_index.tables()
    assert found(plate="P1") == set(fields.loc[fields["plate"] == "P1", "compound"].dropna())


@pytest.mark.parametrize(
    ("question", "about", "sentence"),
    [
        ({}, "question", "exactly one of smiles, compound, field, well; given are: none"),
        ({"smiles": "CCO", "well": "w"}, "question", "exactly one of"),
        ({"smiles": "C(("}, "question", "the SMILES 'C((' cannot be embedded"),
        ({"smiles": "  "}, "smiles", "at least 1 character"),
        ({"smiles": "C" * 2001}, "smiles", "at most 2000 characters"),
        ({"smiles": "<script>alert(1)</script>"}, "question", "cannot be embedded"),
        ({"compound": "asprin"}, "question", "the nearest are: aspirin"),
        ({"field": "made_up/P1/A01/9"}, "question", "the index has no field"),
        ({"well": "' OR 1=1 --"}, "question", "the index has no well"),
        ({"smiles": "CCO", "moa": "x' OR '1'='1"}, "question", "the index has no mechanism"),
        ({"smiles": "CCO", "plate": "P1'; DROP TABLE fields"}, "question", "the index has no plate"),
        ({"smiles": "CCO", "fold": "all"}, "fold", "'train', 'validation', 'test' or 'control'"),
        ({"smiles": "CCO", "top": 101}, "top", "less than or equal to 100"),
        ({"smiles": "CCO", "kind": "wells"}, "kind", "'fields' or 'compounds'"),
        ({"smiles": "CCO", "where": "1=1"}, "where", "Extra inputs"),
    ],
)
def test_a_mistake_is_one_sentence(get, question, about, sentence):
    problem = get(f"{CLOOME}/answer", 422, **question)
    assert sentence in problem["detail"]
    assert "\n" not in problem["detail"]
    assert problem["about"] == about


def test_a_model_that_cannot_embed_names_one_that_can(get):
    problem = get(f"{RIDGE}/answer", 422, smiles="CCO")
    assert problem["detail"] == "the model Ridge cannot embed new structures: ask CLOOME (model cloome)"
    assert get(f"{RIDGE}/answer", compound="aspirin", top=3)["hits"]


def test_an_unknown_index_or_path_is_not_found(get):
    assert "made_up-random-cloome" in get("/api/indexes/other", 404)["detail"]
    get("/api/nothing", 404)
    get("/static/../../app.py", 404)
    get("/static/%2e%2e/%2e%2e/app.py", 404)


def test_a_plate_has_its_wells_in_place(get):
    plate = get(f"{CLOOME}/plate", plate=ODD_PLATE)
    assert (plate["rows"], plate["columns"]) == (8, 12)
    assert [(well["row"], well["column"]) for well in plate["wells"]] == [(r, c) for r in range(3) for c in range(4)]
    assert sum(well["control"] for well in plate["wells"]) == 2
    assert all(len(well["fields"]) == 2 for well in plate["wells"])
    assert "no plate 'x'" in get(f"{CLOOME}/plate", 422, plate="x")["detail"]


def test_thumbnails_are_bytes_of_the_index(client):
    keys = ["made_up/P1/A02/1", f"made_up/{ODD_PLATE}/A01/2", "made_up/P1/A02/1"]
    answer = client.get(f"{CLOOME}/thumbnails", params={"field": keys})
    assert answer.headers["x-shape"] == "3,5,32,32"
    images = small_index.invented_fields(48)
    fields, _ = small_index.tables()
    rows = [fields["field_id"].tolist().index(key) for key in keys]
    found = np.frombuffer(answer.content, np.uint8).reshape(3, 5, 32, 32)
    np.testing.assert_array_equal(found, images[rows])
    assert client.get(f"{RIDGE}/thumbnails", params={"field": keys}).status_code == 422
    assert client.get(f"{CLOOME}/thumbnails", params={"field": keys * 40}).status_code == 422
    assert client.get(f"{CLOOME}/thumbnails").status_code == 422


def test_structures_are_drawn(client):
    answer = client.get("/api/drawing.svg", params={"smiles": "CCO"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "<svg" in answer.text
    assert "<script" not in answer.text
    assert client.get("/api/drawing.svg", params={"smiles": "C(("}).status_code == 422
    assert client.get("/api/drawing.svg", params={"smiles": "C" * 2001}).status_code == 422


def test_names_of_files_give_channels(get):
    names = ["x_DNA.tif", "x_Ph_golgi.png", "x.tif", "../../DNA/ER.tif"]
    assert get("/api/channels", file=names) == ["DNA", "AGP", None, "ER"]
