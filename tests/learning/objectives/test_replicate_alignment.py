import logging
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.objectives.cwcl import CWCL
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.objectives.replicate_alignment import ReplicateAlignment
from cloome_kedro.learning.objectives.siglip import SigLIP
from objective_formulas import gradient, info_nce, replicate_term, unit_vectors

TERMS = ("contrastive", "alignment")


def batch(n, k, compounds=None, plates=3, seed=0, scale=14.3):
    """A batch of n pairs with k fields each, in float64, and its single fields with compounds and plates."""
    rng = np.random.default_rng([seed, 1])
    x, z = unit_vectors(n, 4, seed)
    fields = rng.normal(size=(n, k, 4))
    unit = rng.integers(0, compounds, n) if compounds else np.arange(n)
    plate = rng.integers(0, plates, (n, k))
    sets = {"field": x, "compound": z, "scale": np.float64(scale), "unit": unit, "plate": plate, "fields": fields}
    tensors = {name: torch.tensor(value) for name, value in sets.items()}
    return tensors, (fields.reshape(-1, 4), unit.repeat(k), plate.ravel())


@settings(max_examples=50)
@given(
    term=st.sampled_from(TERMS),
    across=st.booleans(),
    n=st.integers(2, 6),
    k=st.integers(2, 3),
    compounds=st.integers(1, 8),
    plates=st.integers(2, 4),
    seed=st.integers(0, 99),
)
def test_the_loss_is_its_closed_form(term, across, n, k, compounds, plates, seed):
    sets, (fields, unit, plate) = batch(n, k, compounds, plates, seed)
    sets["plate"][0, :2] = torch.tensor([0, 1])  # at least one pair of replicates
    plate = sets["plate"].numpy().ravel()
    found = ReplicateAlignment(weight=0.7, term=term, across_plates=across)(sets).item()
    base = info_nce(sets["field"].numpy(), sets["compound"].numpy(), 14.3)
    added = replicate_term(fields, unit, plate if across else None, 14.3, term)
    assert found == pytest.approx(base + 0.7 * added, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("term", TERMS)
def test_rows_of_the_same_compound_are_replicates(term):
    """With one field per pair, the rows of a batch are compared."""
    sets, _ = batch(8, 1, compounds=3, seed=4)
    del sets["fields"]
    found = ReplicateAlignment(weight=0.5, term=term)(sets).item()
    x, unit, plate = (sets[name].numpy() for name in ("field", "unit", "plate"))
    expected = info_nce(x, sets["compound"].numpy(), 14.3) + 0.5 * replicate_term(x, unit, plate[:, 0], 14.3, term)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("term", TERMS)
def test_gradients_of_the_closed_form(term):
    sets, (fields, unit, _) = batch(4, 2, seed=1)
    sets["plate"][:] = torch.tensor([[0, 1], [0, 0], [1, 2], [2, 0]])
    fields_set, scale = sets["fields"].requires_grad_(), sets["scale"].requires_grad_()
    ReplicateAlignment(weight=2.0, term=term)(sets).backward()
    plates = sets["plate"].numpy().ravel()

    def closed(point):
        base = info_nce(sets["field"].numpy(), sets["compound"].numpy(), point[-1])
        return base + 2 * replicate_term(point[:-1].reshape(-1, 4), unit, plates, point[-1], term)

    expected = gradient(closed, np.append(fields, 14.3))
    np.testing.assert_allclose(np.append(fields_set.grad.numpy(), scale.grad.numpy()), expected, atol=1e-9)


@pytest.mark.parametrize("term", TERMS)
def test_the_same_plate_is_no_replicate(term):
    sets, _ = batch(5, 2)
    sets["plate"] = torch.arange(5)[:, None].expand(5, 2)
    base = InfoNCE()(sets)
    assert torch.equal(ReplicateAlignment(term=term)(sets), base)
    assert ReplicateAlignment(term=term, across_plates=False)(sets) > base


@pytest.mark.parametrize("term", TERMS)
def test_it_falls_as_replicates_come_together(term):
    sets, _ = batch(5, 2)
    sets["plate"] = torch.tensor([0, 1]).expand(5, 2)
    directions = torch.eye(5).double()[:, None]
    losses = [
        ReplicateAlignment(term=term)(
            sets | {"fields": directions + noise * torch.randn(5, 2, 5, generator=torch.Generator().manual_seed(0))}
        ).item()
        for noise in (1.0, 0.3, 0.1, 0.0)
    ]
    assert losses == sorted(losses, reverse=True)
    if term == "alignment":
        assert losses[-1] == pytest.approx(InfoNCE()(sets).item(), abs=1e-12)


def test_a_batch_without_replicates_is_that_of_the_base():
    sets, _ = batch(5, 1)
    del sets["fields"]
    assert torch.equal(ReplicateAlignment()(sets), InfoNCE()(sets))


def test_the_base_is_any_objective():
    with_bias = ReplicateAlignment(base={"name": "siglip", "initial_bias": -2})
    assert with_bias.base == {"name": "siglip", "initial_bias": -2}
    assert with_bias.scalars == SigLIP(initial_bias=-2).scalars
    assert with_bias.needs == ("unit", "plate", "fields")
    soft = ReplicateAlignment(base="cwcl", weight=0.5)
    assert soft.needs == ("compound_input", "unit", "plate", "fields")
    assert soft == ReplicateAlignment(base={"name": "cwcl", "threshold": None}, weight=0.5)
    sets, (fields, unit, plate) = batch(5, 2)
    sets |= {"compound_input": torch.rand(5, 7).double()}
    expected = CWCL()(sets).item() + 0.5 * replicate_term(fields, unit, plate, 14.3, "contrastive")
    assert soft(sets).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("given_settings", "message"),
    [
        ({"weight": 0}, "ReplicateAlignment: weight must be positive, is 0"),
        ({"weight": math.nan}, "ReplicateAlignment: weight must be positive, is nan"),
        ({"term": "cosine"}, "ReplicateAlignment: term must be contrastive or alignment, is cosine"),
        ({"base": "info_nse"}, "there is no objective 'info_nse'; the nearest are: info_nce"),
        ({"base": {"hopfield_beta": 8}}, "ReplicateAlignment: base needs a name, one of info_nce"),
        ({"base": {"name": "info_nce", "hopfield_beta": 8}}, "objective info_nce: .*hopfield_beta"),
        ({"base": {"name": "siglip", "initial_bias": "low"}}, "objective siglip: "),
        ({"base": "replicate_alignment"}, "ReplicateAlignment: base must be another objective"),
    ],
)
def test_settings_are_checked(given_settings, message):
    with pytest.raises(ValueError, match=message):
        ReplicateAlignment(**given_settings)


def test_a_batch_needs_several_fields_of_a_compound():
    objective = ReplicateAlignment()
    with pytest.raises(ValueError, match=r"set fit\.fields_per_compound to 2 or more"):
        objective.check_fit(FitConfig())
    objective.check_fit(FitConfig(fields_per_compound=2))
    objective.check_fit(FitConfig(unique_compounds=False))


def test_the_training_fold_needs_replicates(caplog):
    def data(plates):
        compounds = np.array([0, 0, 1, 1, 2, 3, 3])
        side = None  # nothing is read
        pairs = {"train": np.arange(5), "validation": np.array([5, 6]), "units": compounds, "keys": compounds}
        return PairData(side, side, **pairs, plates=np.array(plates), compounds=compounds)

    with caplog.at_level(logging.INFO):
        ReplicateAlignment().check_data(data([0, 1, 1, 1, 0, 0, 1]))
    assert "1 of 3 training compounds have several fields on two plates" in caplog.text
    one_plate = data([0, 0, 1, 1, 0, 0, 1])  # the validation fold has replicates
    with pytest.raises(ValueError, match="no compound of the training fold has two fields on two plates: set across_"):
        ReplicateAlignment().check_data(one_plate)
    ReplicateAlignment(across_plates=False).check_data(one_plate)
