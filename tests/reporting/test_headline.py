"""The first lines of the report: one card per task."""

import dataclasses
import re

import pytest

from cloome_kedro.reporting.headline import headline, verdict_text
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, PROBING, ZERO_SHOT_MOA
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


@pytest.fixture(scope="module")
def metrics(study):
    return study["metrics"]


@pytest.fixture(scope="module")
def cards(study):
    """Function from metrics and a look to the cards of the study."""
    return lambda metrics, look=LOOK: headline(metrics, study["differences"], look)


def test_every_task_has_its_card(metrics, cards):
    to_compound, to_image, mechanism, assays = cards(metrics)
    row = metrics.query(
        "method == 'CLOOME' and images == 'clean' and metric == 'top-1' and pool == 'sampled' and draws == 2"
        " and shown_by == 'field' and direction == 'image to compound'"
    ).iloc[0]  # fmt: skip
    assert to_compound.title == "Image → compound"
    assert (to_compound.value, to_compound.low, to_compound.high, to_compound.chance) == tuple(
        row[["value", "low", "high", "chance"]]
    )
    assert re.fullmatch(r"n = 28, top-1 among 20 candidates, mean of \d+ draws", to_compound.basis)
    assert list(to_compound.others) == ["Bilinear", "Oracle (phenotype)"]
    assert to_image.title == "Compound → image"
    strict = metrics.query(
        "task == 'zero-shot MoA' and method == 'CLOOME' and excluded == 'plate+compound'"
        " and draws == draws.max() and metric == 'top-1'"
    ).iloc[0]  # fmt: skip
    assert mechanism.others["CLOOME, other plates and compounds only"] == strict["value"]
    assert mechanism.others["Untrained"] < mechanism.value
    assert mechanism.chance == pytest.approx(1 / 9)
    assert re.fullmatch(
        r"n = \d+ fields of \d+ compounds, top-1 among 9 mechanisms(, mean of \d+ draws)?", mechanism.basis
    )
    assert assays.text(assays.value) == f"{assays.value:.3f}"
    assert assays.basis == "mean AUC over 11 assays"


@pytest.mark.parametrize(("value", "limits"), [(1, (0.158114, 1)), (0, (0, 0.841886))])
def test_a_result_that_is_the_same_for_all_compounds_has_an_interval(metrics, cards, value, limits):
    """Without a width, two of two right answers would look certain. The exact lower limit of 2 of 2 is √0.025."""
    same = metrics["metric"].eq("top-1") & metrics["draws"].gt(1)
    columns = {"value": value, "low": value, "high": value, "compounds": 2}
    certain = metrics.assign(**{name: metrics[name].mask(same, new) for name, new in columns.items()})
    for card in cards(certain)[:2]:
        assert (card.low, card.high) == pytest.approx(limits, abs=1e-6)


def test_what_was_not_evaluated_has_no_card(metrics, cards):
    assert len(cards(metrics.query("task != 'probing'"))) == 3
    assert len(cards(metrics.query("task == 'retrieval'"))) == 2
    assert cards(metrics.iloc[:0]) == []


def test_corrupted_images_have_no_card(metrics, cards):
    assert cards(metrics.query("images == 'clean'")) == cards(metrics)
    assert cards(metrics.query("images != 'clean'")) == []


def test_methods_of_another_pool_are_not_beside_the_model(metrics, cards):
    other = metrics.assign(candidates=metrics["candidates"].where(metrics["method"] != "Bilinear", 19))
    assert "Bilinear" not in cards(other)[0].others


def test_cards_are_of_the_first_model(metrics, cards):
    """A model whose fields are not learned is asked in retrieval alone."""
    look = Look(models={"bilinear": "Bilinear", "cloome": "CLOOME"})
    to_compound, to_image = cards(metrics, look)
    assert list(to_compound.others) == ["CLOOME", "Oracle (phenotype)"]
    assert to_compound.others["CLOOME"] == cards(metrics)[0].value
    assert to_image.value == cards(metrics)[1].others["Bilinear"]


def test_cards_say_how_models_compare_with_the_reference_and_with_profiles(study):
    """The numbers are those of the table of differences."""
    look = dataclasses.replace(LOOK, reference="Bilinear")
    to_compound, to_image, mechanism, assays = headline(study["metrics"], study["differences"], look)
    differences = study["differences"].query("method == 'CLOOME' and images == 'clean'")
    for card, rows in [
        (to_compound, f"direction == '{IMAGE_TO_COMPOUND}' and pool == 'sampled' and against == 'method Bilinear'"),
        (to_image, f"direction == '{COMPOUND_TO_IMAGE}' and pool == 'sampled' and against == 'method Bilinear'"),
        (mechanism, f"task == '{ZERO_SHOT_MOA}' and excluded == 'none' and against == 'method Profiles'"),
    ]:
        row = differences.query(f"metric == 'top-1' and shown_by == 'field' and pool != 'same plate' and {rows}")
        assert card.verdicts == {"CLOOME": verdict_text(row.iloc[0], percent=True)}
    row = differences.query(f"task == '{PROBING}' and metric == 'mean AUC' and against == 'method Profiles'").iloc[0]
    assert assays.verdicts == {"CLOOME": verdict_text(row, percent=False)}
    assert not headline(study["metrics"], study["differences"], LOOK)[0].verdicts, "there is no reference"


@pytest.mark.parametrize(
    ("difference", "low", "high", "text"),
    [
        (0.1, 0.05, 0.15, "above Bilinear by 10.0 points (5.0 to 15.0)"),
        (-0.1, -0.15, -0.05, "below Bilinear by 10.0 points (5.0 to 15.0)"),
        (-0.01, -0.05, 0.03, "no different from Bilinear (-1.0 points, -5.0 to +3.0)"),
    ],
)
def test_a_verdict_gives_the_difference_and_its_interval(difference, low, high, text):
    row = {"against": "method Bilinear", "difference": difference, "low": low, "high": high}
    assert verdict_text(row, percent=True) == text
