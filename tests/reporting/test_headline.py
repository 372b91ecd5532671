import re

import pytest

from cloome_kedro.reporting.headline import headline
from synthetic_study import make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def cards(study, **replaced):
    tables = {name: study[f"{name}_metrics"] for name in ("retrieval", "zero_shot", "probing")}
    return headline(**{**tables, **replaced})


def test_every_task_has_its_card(study):
    to_compound, to_image, mechanism, assays = cards(study)
    row = study["retrieval_metrics"].query(
        "method == 'CLOOME' and metric == 'top-1' and pool == 'sampled' and draws == 1 and shown_by == 'field'"
        " and direction == 'structure retrieval'"
    ).iloc[0]  # fmt: skip
    assert to_compound.title == "Image → compound"
    assert (to_compound.value, to_compound.low, to_compound.high, to_compound.chance) == tuple(
        row[["value", "low", "high", "chance"]]
    )
    assert to_compound.basis == "n = 28, top-1 among 20 candidates"
    assert list(to_compound.others) == ["Bilinear", "Oracle (phenotype)"]
    assert to_image.title == "Compound → image"
    strict = study["zero_shot_metrics"].query(
        "method == 'CLOOME' and excluded == 'plate+compound' and draws == 1 and metric == 'top-1'"
    ).iloc[0]  # fmt: skip
    assert mechanism.others["CLOOME, other plates and compounds only"] == strict["value"]
    assert mechanism.others["Untrained"] < mechanism.value
    assert mechanism.chance == pytest.approx(1 / 9)
    assert re.fullmatch(r"n = \d+ fields of \d+ compounds, top-1 among 9 mechanisms", mechanism.basis)
    assert assays.text(assays.value) == f"{assays.value:.3f}"
    assert assays.basis == "mean AUC over 11 assays"


def test_what_was_not_evaluated_has_no_card(study):
    nothing = study["probing_metrics"].iloc[:0]
    assert len(cards(study, probing=nothing)) == 3
    assert len(cards(study, probing=nothing, zero_shot=nothing)) == 2
    assert cards(study, retrieval=nothing, probing=nothing, zero_shot=nothing) == []


def test_methods_of_another_pool_are_not_beside_the_model(study):
    metrics = study["retrieval_metrics"]
    other = metrics.assign(candidates=metrics["candidates"].where(metrics["method"] != "Bilinear", 19))
    assert "Bilinear" not in cards(study, retrieval=other)[0].others
