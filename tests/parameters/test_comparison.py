import pytest
from pydantic import ValidationError

from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.parameters import CompareParameters
from cloome_kedro.parameters.comparison import as_configured, checked_comparison, read_entry
from cloome_kedro.parameters.model import FusionParameters, ModelParameters
from cloome_kedro.study_models import compared_entries
from small_models import IMAGE_MODEL

MODELS = {
    "cloome": {**IMAGE_MODEL, "fit": {"epochs": 5}},
    "bilinear": {
        "field": {"view": "profiles", "encoder": "identity"},
        "compound": {"view": "morgan", "encoder": "linear"},
        "objective": "info_nce",
        "fit": {"epochs": 2},
    },
    "fusion": {"kind": "fusion", "parts": ["cloome", "bilinear"]},
}


def settings(models, **changes):
    """Settings with one list."""
    return {"chosen": "study", "seeds": [0], "lists": {"study": {"reference": "bilinear", "models": models}}, **changes}


def test_a_text_is_a_label_and_changes_make_another_entry():
    short = {"label": "Short", "of": "cloome", "changes": {"fit.epochs": 1, "field.view.crop": 8}}
    compared = CompareParameters.model_validate(settings({"short": short, "bilinear": "Bilinear"})).compared
    assert compared.labels == ["Short", "Bilinear"]
    entries = compared_entries(compared.model_dump()["models"], MODELS)
    changed = read_entry(entries["short"])
    assert isinstance(changed, ModelParameters)
    assert (changed.fit.epochs, changed.field.view.crop) == (1, 8)
    assert changed.objective == InfoNCE()
    assert MODELS["cloome"]["fit"] == {"epochs": 5}, "the entry itself is not changed"
    assert isinstance(read_entry(MODELS["fusion"]), FusionParameters)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": "other"}, "there is no list other, only study"),
        ({"seeds": [1, 1]}, "a seed occurs twice in 1, 1"),
        ({"seeds": []}, "at least 1 item"),
        ({"lists": {"study": {"reference": "cloome", "models": {"bilinear": "B"}}}}, "cloome is not among the models"),
        (
            {"lists": {"study": {"reference": "cloome", "models": {"bilinear": "B", "cloome": "B"}}}},
            "the label B occurs twice",
        ),
    ],
    ids=["list", "repeated seed", "no seed", "reference", "label"],
)
def test_contradictions_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        CompareParameters.model_validate(settings({"bilinear": "Bilinear"}, **change))


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({"clome": "CLOOME"}, "there is no model clome; the parameters `models` have cloome, bilinear, fusion"),
        (
            {"cloome": {"label": "C", "changes": {"fit.epochs.number": 1}}},
            "fit.epochs.number cannot be changed, because epochs is not a group",
        ),
        ({"cloome": {"label": "C", "changes": {"fit.epoch": 1}}}, "epoch"),
        ({"cloome": {"label": "C", "changes": {"fit.epochs": 0}}}, "epochs must be at least 1"),
        (
            {"fusion": "Fusion", "cloome": "CLOOME"},
            "the part bilinear must be an earlier model of the list",
        ),
    ],
    ids=["model", "no group", "setting", "value", "order"],
)
def test_wrong_models_are_named(models, message):
    compare = CompareParameters.model_validate(settings({**models, "bilinear": "Bilinear"}))
    with pytest.raises(ValueError, match=message):
        checked_comparison(compare, MODELS)


def test_right_models_give_their_entries_and_other_lists_are_not_checked():
    models = {"cloome": "CLOOME", "bilinear": "Bilinear", "fusion": "Fusion"}
    given = settings(models)
    given["lists"]["other"] = {"reference": "missing", "models": {"missing": "Missing"}}
    assert checked_comparison(CompareParameters.model_validate(given), MODELS) == MODELS


def test_entries_that_kedro_has_validated_are_read_like_those_of_the_files():
    """A run of the study together with ``compare`` has types in the place of the dictionaries of the files."""
    assert as_configured(MODELS) == MODELS
    validated = as_configured({name: read_entry(entry) for name, entry in MODELS.items()})
    for name in MODELS:
        assert read_entry(validated[name]) == read_entry(MODELS[name])
