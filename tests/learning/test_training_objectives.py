"""Trainings with each objective on planted pairs, with what the loop and the validation give to it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.cwcl import CWCL
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.objectives.replicate_alignment import ReplicateAlignment
from cloome_kedro.learning.objectives.s2l import S2L
from cloome_kedro.learning.objectives.siglip import SigLIP
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation, validation_row
from objective_formulas import cwcl, min_max, similarity
from planted import ARCHITECTURE, COMPOUNDS, CONFIG, FIELDS, IMAGES, Planted, top1

pytestmark = pytest.mark.usefixtures("one_thread")
PLATES = np.repeat(np.arange(FIELDS), COMPOUNDS)  # the two fields of each compound are on two plates


def trained(folder, objective, data=None, **changes):
    """Result of a training with a model that has the scalars of the objective."""
    with seeded(0):
        model = PairModel(replace(ARCHITECTURE, scalars=objective.scalars))
    config = replace(CONFIG, **{"epochs": 6, **changes})
    data = Planted().data(plates=PLATES) if data is None else data
    return fit(model, data, Recipe(objective, config, 0), Validation(top1), FitState(folder), progress=False)


@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        (SigLIP(), {}),
        (CWCL(), {}),
        (S2L(), {"unique_compounds": False}),
        (ReplicateAlignment(weight=0.2), {"fields_per_compound": 2}),
        (ReplicateAlignment("s2l", weight=0.2, term="alignment"), {"unique_compounds": False, "micro_batch_size": 32}),
    ],
    ids=str,
)
def test_it_trains(tmp_path, objective, changes):
    result = trained(tmp_path, objective, **changes)
    history = result.history
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]
    assert max(row["validation_top1"] for row in history) > 5 / 64  # chance is 1 / 64
    for name, value in objective.scalars.items():
        assert result.best["top1"].tensors[name].item() != value


def test_dropout_follows_the_seed_of_the_training(tmp_path):
    """The state of torch's generator plays no part, so a training that continues draws what it would have drawn."""
    encoder, tensors = MLP(1, 64, dropout=0.5), []
    for number in range(2):
        torch.manual_seed(number)
        with seeded(0):
            model = PairModel(replace(ARCHITECTURE, compound=encoder))
        recipe, state = Recipe(InfoNCE(), replace(CONFIG, epochs=1), 0), FitState(tmp_path / str(number))
        result = fit(model, Planted().data(), recipe, Validation(top1), state, progress=False)
        tensors.append(result.best["top1"].tensors)
    assert all(torch.equal(tensor, tensors[1][name]) for name, tensor in tensors[0].items())


def test_a_compound_is_one_compound_at_all_concentrations(tmp_path):
    """Units are treatments, but pairs of a compound match in the loss: without that the loss is another."""
    planted = Planted()
    treatments = np.arange(COMPOUNDS * FIELDS)  # each field of a compound is another treatment
    losses = [
        trained(tmp_path / name, SigLIP(), planted.data(units=treatments, compounds=compounds), epochs=1).history[0]
        for name, compounds in [("compounds", planted.structures), ("treatments", None)]
    ]
    assert losses[0]["train_loss"] != losses[1]["train_loss"]


def test_an_objective_that_the_fit_cannot_give_is_refused_before_training(tmp_path):
    with pytest.raises(ValueError, match=r"set fit\.fields_per_compound to 2 or more"):
        trained(tmp_path, ReplicateAlignment())
    one_plate = Planted().data(plates=np.zeros(COMPOUNDS * FIELDS, int))
    with pytest.raises(ValueError, match="no compound of the training fold has two fields on two plates"):
        trained(tmp_path, ReplicateAlignment(), one_plate, fields_per_compound=2)
    assert not list(tmp_path.glob("*.pt"))


def test_the_validation_loss_compares_the_inputs_of_validation_compounds():
    planted, objective = Planted(), CWCL(threshold=0.2)
    with seeded(0):
        model = PairModel(ARCHITECTURE)
    data, fabric = planted.data(), Fabric(accelerator="cpu", devices=1)
    row = validation_row(fabric, model, data, objective, replace(CONFIG, batch_size=64), Validation(top1))
    embed = Embedder(model, progress=False)
    fields = embed("field", planted.read, data.validation, IMAGES).astype(float)
    compounds = embed("compound", data.compound.rows.read, data.validation, data.compound.view).astype(float)
    units = np.arange(len(fields))  # one pair per compound
    weights = similarity(data.compound.rows.read(data.validation).astype(float), units, min_max)
    expected = cwcl(fields, compounds, 14.3, np.where(weights < 0.2, 0, weights), units)
    assert row["validation_loss"] == pytest.approx(expected, rel=1e-5)
