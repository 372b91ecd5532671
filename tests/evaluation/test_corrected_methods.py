"""Corrected methods stand beside the methods as they are, and undo plate effects that controls show."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation import corrected_methods
from cloome_kedro.evaluation.corrected_methods import Plates, correct_methods, corrected_pairs
from cloome_kedro.evaluation.corrections import TVN, Controls, RobustZ, Sphering
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.zero_shot import zero_shot_ranks
from cloome_kedro.words import PROBING, RETRIEVAL, ZERO_SHOT

D, COMPOUNDS, CONTROLS = 6, 20, 16
EVERY = [RobustZ(), Sphering(), TVN()]
EVERYTHING = (RETRIEVAL, *ZERO_SHOT, PROBING)


def screen(plates=("P", "Q", "R"), controls=CONTROLS):
    """Fields of 20 compounds and of controls on every plate. Plates shift features, and noise has few directions."""
    generator = np.random.default_rng(0)
    of_compound = generator.normal(size=(COMPOUNDS, D))
    noise = np.diag([9.0, 3, 1, 0.3, 0.3, 0.3])
    tables, vectors = [], []
    for plate in plates:
        n = COMPOUNDS + controls
        shift = generator.normal(size=D) * 8
        signal = np.concatenate([of_compound, np.zeros((controls, D))])
        vectors.append(signal + shift + generator.normal(size=(n, D)) @ noise * 0.4)
        tables.append(
            pd.DataFrame(
                {
                    "field_id": [f"{plate}/{i}" for i in range(n)],
                    "plate": plate,
                    "well": "A01",
                    "label": [f"c{i}" for i in range(n)],
                    "control": np.arange(n) >= COMPOUNDS,
                }
            )
        )
    fields = pd.concat(tables, ignore_index=True).assign(inchikey=lambda table: table["label"])
    return fields, np.concatenate(vectors), of_compound


@pytest.fixture(scope="module")
def made():
    fields, vectors, of_compound = screen()
    keys = fields["field_id"].to_numpy()
    names = np.array([f"c{i}" for i in range(COMPOUNDS)])
    return fields, {
        "Model": Method(Embeddings(keys, vectors), Embeddings(names, of_compound), EVERYTHING, normalised=False),
        "Profiles": Method(Embeddings(keys, vectors), normalised=False),
        "Plate only": Method(Embeddings(keys[~fields["control"]], vectors[~fields["control"]])),
    }


def top1(method, fields):
    """Share of fields whose compound is recognised on another plate."""
    treated = fields[~fields["control"]]
    unit = method.unit_fields(treated["field_id"])
    ranks = zero_shot_ranks(unit, unit, treated, excluded=["plate"], seed=0)
    return (ranks["rank"] == 1).mean()


def test_every_correction_undoes_the_shift_of_plates(made):
    fields, methods = made
    corrected = correct_methods(methods, EVERY, Plates(fields))
    plain = top1(methods["Profiles"], fields)
    found = {label: top1(corrected[f"Profiles, {label}"], fields) for label in ("robust z", "sphered", "TVN")}
    assert plain < 0.2
    assert all(value > plain + 0.2 for value in found.values()), found
    assert found["sphered"] > 0.6, "noise has few directions"


def test_names_and_tasks_say_what_is_evaluated(made):
    fields, methods = made
    corrected = correct_methods(methods, EVERY, Plates(fields))
    labels = ["robust z", "sphered", "TVN"]
    assert list(corrected) == [f"{name}, {label}" for name in ("Model", "Profiles") for label in labels]
    assert corrected["Model, sphered"].tasks == (RETRIEVAL, *ZERO_SHOT)
    for name in ("Model, robust z", "Model, TVN", "Profiles, sphered"):
        assert corrected[name].tasks == ZERO_SHOT
        assert corrected[name].compounds is None
    assert corrected_pairs([*methods, *corrected], labels) == [
        (f"{name}, {label}", name) for name in ("Model", "Profiles") for label in labels
    ]
    assert corrected["Model, sphered"].fields.meta["corrected"] == "sphered"


def test_controls_are_gathered_once_for_all_corrections(made, monkeypatch):
    fields, methods = made
    gathered = []
    monkeypatch.setattr(corrected_methods, "Controls", lambda *given: gathered.append(1) or Controls(*given))
    corrected = correct_methods(methods, EVERY, Plates(fields), ["Model", "Profiles"])
    assert len(corrected) == 2 * len(EVERY)
    assert len(gathered) == 2


def test_methods_can_be_chosen(made):
    fields, methods = made
    assert list(correct_methods(methods, [TVN()], Plates(fields), ["Profiles"])) == ["Profiles, TVN"]
    assert correct_methods(methods, [], Plates(fields)) == {}


def test_a_model_that_is_evaluated_in_retrieval_only_needs_a_map_of_compounds(made):
    fields, methods = made
    ridge = {"Ridge": Method(methods["Model"].fields, methods["Model"].compounds, (RETRIEVAL,), normalised=False)}
    corrected = correct_methods(ridge, EVERY, Plates(fields))
    assert list(corrected) == ["Ridge, sphered"]


def test_unit_lengths_and_logits_of_attention_stay(made):
    fields, methods = made
    logits = np.random.default_rng(0).normal(size=len(fields))
    base = Method(Embeddings(methods["Model"].fields.keys, methods["Model"].fields.vectors, logits=logits))
    corrected = correct_methods({"Model": base}, [Sphering()], Plates(fields))["Model, sphered"]
    np.testing.assert_allclose(np.linalg.norm(corrected.fields.vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(corrected.fields.logits, logits)


def test_plates_with_few_controls_are_counted(caplog):
    fields, vectors, _ = screen()
    fields = fields[~((fields["plate"] == "Q") & fields["control"])]
    methods = {"Model": Method(Embeddings(fields["field_id"].to_numpy(), vectors[fields.index]))}
    assert list(correct_methods(methods, [RobustZ()], Plates(fields))) == ["Model, robust z"]
    assert "Model, robust z: 1 of 3 plates have fewer than 8 controls with vectors, the first is Q" in caplog.text


def test_a_screen_without_controls_has_no_corrected_methods(made, caplog):
    fields, methods = made
    few = fields.assign(control=fields["control"] & (fields.index < COMPOUNDS + 3))
    assert correct_methods(methods, [Sphering()], Plates(few)) == {}
    assert (
        "Model is not evaluated sphered: 3 control wells have vectors, but a correction needs at least" in caplog.text
    )
    caplog.clear()
    assert correct_methods(methods, [Sphering()], Plates(fields.assign(control=False))) == {}
    assert caplog.messages == ["no field is a control: params:corrections.use corrects nothing"]
    assert correct_methods(methods, [Sphering()], Plates(fields.assign(control=False)), ["Profiles"]) == {}
    assert "Profiles is not evaluated sphered: 0 control wells" in caplog.text
