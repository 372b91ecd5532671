"""The first lines of the report: one card per task."""

import re

import pytest

from cloome_kedro.reporting.headline import headline
from cloome_kedro.reporting.style import Look
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def metrics():
    return make_study()["metrics"]


def test_every_task_has_its_card(metrics):
    to_compound, to_image, mechanism, assays = headline(metrics, LOOK)
    row = metrics.query(
        "method == 'CLOOME' and images == 'clean' and metric == 'top-1' and pool == 'sampled' and draws == 1"
        " and shown_by == 'field' and direction == 'image to compound'"
    ).iloc[0]  # fmt: skip
    assert to_compound.title == "Image → compound"
    assert (to_compound.value, to_compound.low, to_compound.high, to_compound.chance) == tuple(
        row[["value", "low", "high", "chance"]]
    )
    assert to_compound.basis == "n = 28, top-1 among 20 candidates"
    assert list(to_compound.others) == ["Bilinear", "Oracle (phenotype)"]
    assert to_image.title == "Compound → image"
    strict = metrics.query(
        "task == 'zero-shot MoA' and method == 'CLOOME' and excluded == 'plate+compound'"
        " and draws == 1 and metric == 'top-1'"
    ).iloc[0]  # fmt: skip
    assert mechanism.others["CLOOME, other plates and compounds only"] == strict["value"]
    assert mechanism.others["Untrained"] < mechanism.value
    assert mechanism.chance == pytest.approx(1 / 9)
    assert re.fullmatch(r"n = \d+ fields of \d+ compounds, top-1 among 9 mechanisms", mechanism.basis)
    assert assays.text(assays.value) == f"{assays.value:.3f}"
    assert assays.basis == "mean AUC over 11 assays"


def test_what_was_not_evaluated_has_no_card(metrics):
    assert len(headline(metrics.query("task != 'probing'"), LOOK)) == 3
    assert len(headline(metrics.query("task == 'retrieval'"), LOOK)) == 2
    assert headline(metrics.iloc[:0], LOOK) == []


def test_corrupted_images_have_no_card(metrics):
    assert headline(metrics.query("images == 'clean'"), LOOK) == headline(metrics, LOOK)
    assert headline(metrics.query("images != 'clean'"), LOOK) == []


def test_methods_of_another_pool_are_not_beside_the_model(metrics):
    other = metrics.assign(candidates=metrics["candidates"].where(metrics["method"] != "Bilinear", 19))
    assert "Bilinear" not in headline(other, LOOK)[0].others


def test_cards_are_of_the_first_model(metrics):
    """A model whose fields are not learned is asked in retrieval alone."""
    look = Look(models={"bilinear": "Bilinear", "cloome": "CLOOME"})
    to_compound, to_image = headline(metrics, look)
    assert list(to_compound.others) == ["CLOOME", "Oracle (phenotype)"]
    assert to_compound.others["CLOOME"] == headline(metrics, LOOK)[0].value
    assert to_image.value == headline(metrics, LOOK)[1].others["Bilinear"]
