"""What all objectives have in common; tests/test_parity.py has their gradients."""

import json
import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.objectives.base import Objective
from cloome_kedro.learning.objectives.cwcl import CWCL
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.objectives.replicate_alignment import ReplicateAlignment
from cloome_kedro.learning.objectives.s2l import S2L
from cloome_kedro.learning.objectives.siglip import SigLIP
from objective_formulas import unit_vectors
from step_gradients import Sigmoid

ALL = [
    *(InfoNCE(), InfoLOOB(), InfoLOOB(hopfield_beta=14.3), SigLIP(), S2L(), S2L("field_cosine", 0.2, 1.7, 0.75)),
    *(CWCL(), CWCL("compound_cosine", 0.5, "compound_to_image")),
    *(ReplicateAlignment(), ReplicateAlignment("cwcl", 0.7, "alignment", across_plates=False)),
]


EMBEDDED = ("field", "compound", "scale")


def outputs(n=9, d=5, seed=0, dtype=torch.float64, scale=14.3):
    """Embeddings and numbers, and the further sets that some objectives need; pairs 0 and 1 show one compound."""
    field, compound = (torch.tensor(side, dtype=dtype) for side in unit_vectors(n, d, seed))
    generator = torch.Generator().manual_seed(seed)
    return {
        **{"field": field, "compound": compound, "scale": torch.tensor(scale, dtype=dtype)},
        "bias": torch.tensor(-3.0, dtype=dtype),
        "compound_input": torch.randint(0, 2, (n, 12), generator=generator).to(dtype),
        "field_input": torch.randn(n, 6, generator=generator).to(dtype),
        "unit": torch.arange(n).clamp(min=1),
        "plate": torch.arange(n)[:, None] % 3 + torch.arange(2),
        "fields": torch.randn(n, 2, d, generator=generator).to(dtype),
    }


def learned(whole):
    """What has a gradient."""
    return {name: whole[name] for name in ("field", "compound", "scale", "bias", "fields")}


def rearranged(whole, order):
    return {name: tensor[order] if tensor.ndim else tensor for name, tensor in whole.items()}


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_gradients(objective):
    whole = outputs(5, 3)
    names = list(learned(whole))
    loss = lambda *given: objective(whole | dict(zip(names, given, strict=True)))  # noqa: E731
    assert torch.autograd.gradcheck(loss, [whole[name].requires_grad_() for name in names])


@pytest.mark.parametrize("objective", ALL, ids=str)
@settings(max_examples=25)
@given(n=st.integers(2, 12), scale=st.floats(1, 100), seed=st.integers(0, 99))
def test_order_and_sides_do_not_matter(objective, n, scale, seed):
    whole = outputs(n, seed=seed, scale=scale)
    x, z = whole["field"], whole["compound"]
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    loss = objective(whole).item()
    assert objective(rearranged(whole, order)).item() == pytest.approx(loss, rel=1e-9, abs=1e-9)
    assert objective(dict(reversed(whole.items()))).item() == pytest.approx(loss, rel=1e-9, abs=1e-9)
    if "CWCL" not in str(objective) and "cwcl" not in str(objective):  # one of its directions is soft
        assert objective(whole | {"field": z, "compound": x}).item() == pytest.approx(loss, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_stable_where_pairs_match_perfectly(objective):
    whole = outputs(dtype=torch.float32, scale=100.0)
    x = whole["field"].requires_grad_()
    loss = objective(whole | {"compound": x})
    loss.backward()
    assert math.isfinite(loss.item())
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_half_precision_is_computed_in_float32(objective):
    half = outputs(64, 16, dtype=torch.bfloat16, scale=100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = objective(half)
    assert loss.dtype == torch.float32
    exact = objective(
        {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in half.items()}
    )
    assert exact.dtype == torch.float64
    assert loss.item() == pytest.approx(exact.item(), rel=1e-5)


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_one_set_in_float64_makes_all_so(objective):
    exact = outputs()
    found = objective(exact | {"scale": exact["scale"].float(), "compound": exact["compound"].float()})
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(objective(exact).item(), rel=1e-6)


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_what_is_not_a_batch_is_refused(objective):
    whole = outputs(3)
    with pytest.raises(ValueError, match="two pairs"):
        objective(rearranged(whole, slice(1)))
    with pytest.raises(ValueError, match=r"same shape \(N, d\), got field \(3, 5\), compound \(2, 5\)"):
        objective(whole | {"compound": whole["compound"][:2]})
    with pytest.raises(ValueError, match=r"\(N, d\), got field \(3, 5\), compound \(3, 4\)"):
        objective(whole | {"compound": whole["compound"][:, :4]})
    with pytest.raises(ValueError, match=r"\(N, d\), got field \(3,\), compound \(3,\)"):
        objective(whole | {"field": whole["field"][:, 0], "compound": whole["compound"][:, 0]})


@dataclass(frozen=True)
class Remembers(Objective):
    """Keeps what it is given."""

    def loss(self, **given):
        self.__dict__["given"] = given
        return sum(tensor.sum() for tensor in given.values())


def test_all_outputs_of_a_model_are_passed_on_by_name_in_one_precision():
    objective = Remembers()
    whole = {name: tensor for name, tensor in outputs(4, 3, dtype=torch.float32).items() if name in EMBEDDED}
    more = {"profile": torch.ones(4, 3).bfloat16(), "bias": torch.tensor(-10.0), "gain": torch.tensor(2, dtype=int)}
    objective(whole | more)
    assert list(objective.given) == ["field", "compound", "scale", "profile", "bias", "gain"]
    assert {tensor.dtype for tensor in objective.given.values()} == {torch.float32}
    for name, tensor in (whole | more).items():
        assert torch.equal(objective.given[name], tensor.float()), name


def test_codes_stay_whole_numbers():
    objective, codes = Remembers(), torch.tensor([2**62 + 1, 5])
    objective(outputs(2, 3, dtype=torch.float32) | {"unit": codes})
    assert torch.equal(objective.given["unit"], codes)


def test_every_set_is_checked():
    with pytest.raises(ValueError, match=r"field \(4, 3\), compound \(4, 3\), profile \(5, 3\)"):
        Remembers()(outputs(4, 3) | {"profile": torch.ones(5, 3)})
    for name, shape in [("compound_input", (5, 8)), ("unit", (3,)), ("fields", (5, 2, 3))]:
        with pytest.raises(ValueError, match=rf"the same number of rows, got field \(4, 3\), .*{name} \({shape[0]}, ?"):
            Remembers()(outputs(4, 3) | {name: torch.ones(shape)})


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_a_missing_set_is_named(objective):
    whole = outputs(4, 3)
    objective({name: tensor for name, tensor in whole.items() if name in (*EMBEDDED, "bias", *objective.needs)})
    for name in set(objective.needs) - {"fields"}:
        with pytest.raises(
            ValueError, match=f"{type(objective).__name__} needs the set {name}, but there are only fie"
        ):
            objective({other: tensor for other, tensor in whole.items() if other != name})


@pytest.mark.parametrize("objective", ALL, ids=str)
def test_what_an_objective_does_not_take_changes_nothing(objective):
    whole = outputs(4, 3)
    more = {"profile": torch.ones(4, 3), "gain": torch.tensor(-10.0)}
    assert torch.equal(objective(whole | more), objective(whole))


def test_a_learned_number_changes_the_loss_of_the_objective_that_takes_it():
    whole = outputs(4, 3)
    for bias in (-10.0, 0.0, 3.0):
        found = Sigmoid()({name: whole[name] for name in EMBEDDED} | {"bias": torch.tensor(bias)})
        scores = 14.3 * whole["field"].numpy() @ whole["compound"].numpy().T + bias
        expected = sum(
            math.log1p(math.exp(-scores[i, j] if i == j else scores[i, j])) for i in range(4) for j in range(4)
        )
        assert found.item() == pytest.approx(expected / 4, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        *(("info_nce", InfoNCE()), ("info_loob", InfoLOOB()), ("info_loob", InfoLOOB(hopfield_beta=22.0))),
        *(("siglip", SigLIP(initial_bias=-5.0)), ("cwcl", CWCL("field_cosine", 0.1)), ("s2l", S2L(gamma=1.7))),
        ("replicate_alignment", ReplicateAlignment("s2l", weight=2.0)),
    ],
)
def test_an_objective_is_what_its_description_says(name, objective):
    described = json.loads(json.dumps(OBJECTIVES.describe(objective)))
    assert described["name"] == name
    assert OBJECTIVES.make(described) == objective


def test_all_are_listed():
    assert set(OBJECTIVES) == {OBJECTIVES.name_of(objective) for objective in ALL}
    assert {OBJECTIVES.name_of(objective) for objective in ALL if objective.scalars} == {"siglip", "s2l"}
    with pytest.raises(ValueError, match="there is no objective 'info_nse'; the nearest are: info_nce"):
        OBJECTIVES.make({"name": "info_nse"})
    with pytest.raises(ValueError, match=r"objective info_nce: .*unexpected keyword argument 'hopfield_beta'"):
        OBJECTIVES.make({"name": "info_nce", "hopfield_beta": 22})
