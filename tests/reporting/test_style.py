"""What figures share: one order, one colour and one marker for each method, and titles."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from cloome_kedro import words
from cloome_kedro.reporting import style
from cloome_kedro.reporting.style import Look

FIVE = {f"model_{i}": label for i, label in enumerate(["Zeta", "CLOOME", "Bilinear", "Alpha", "Profile model"])}
BASELINES = [
    *(words.PROFILES, words.UNTRAINED, words.PLATE_ONLY, words.WELL_ONLY, words.CELL_COUNT_ONLY),
    words.RANDOM,
]
ORACLES = [words.ORACLE_MECHANISM, words.ORACLE_PHENOTYPE]


def first(number):
    """A study of the first so many models."""
    return Look(models=dict(list(FIVE.items())[:number]))


def test_methods_and_images_keep_their_order():
    look = Look(models={"cloome": "CLOOME"})
    assert look.in_order(["Random", "Oracle (mechanism)", "Plate only", "Untrained", "CLOOME", "My method"]) == [
        "CLOOME", "Untrained", "Plate only", "Random", "My method", "Oracle (mechanism)"
    ]  # fmt: skip
    assert style.images_in_order(["blur", "large_rotation", "clean", "random_flip"]) == [
        "clean", "random_flip", "large_rotation", "blur"
    ]  # fmt: skip
    assert style.corruption_label("my_own_noise") == "my own noise"


def test_models_stand_in_the_order_of_the_study_and_only_once():
    labels = list(FIVE.values())
    assert Look(models=FIVE).in_order([*BASELINES, *sorted(labels), "Zeta", *ORACLES]) == [
        *labels, *BASELINES, *ORACLES
    ]  # fmt: skip
    assert Look(models=FIVE).in_order(["Alpha", "Zeta"]) == ["Zeta", "Alpha"]


@pytest.mark.parametrize("number", range(6))
def test_every_method_has_a_colour_and_a_marker_of_its_own(number):
    look = first(number)
    methods = [*look.models.values(), *BASELINES]
    assert len(set(look.colours([*methods, *ORACLES]).values())) == len(methods) + len(ORACLES)
    assert len({look.marker(method) for method in methods}) == len(methods)


@given(
    st.integers(0, 5),
    st.sets(st.sampled_from([*FIVE.values(), *BASELINES, *ORACLES])),
    st.sets(st.sampled_from([*FIVE.values(), *BASELINES, *ORACLES])),
)
def test_a_method_has_one_colour_in_every_figure(number, shown, others):
    known = {*first(number).models.values(), *BASELINES, *ORACLES}
    few, many = (first(number).colours(methods & known) for methods in (shown, shown | others))
    assert list(few) == first(number).in_order(shown & known)
    assert {method: many[method] for method in few} == few


def test_methods_of_ones_own_take_what_is_left():
    look = Look(models={"cloome": "CLOOME", "bilinear": "Bilinear"})
    taken = look.colours(["CLOOME", "Bilinear", *BASELINES, *"ABCD"])
    assert len(set(taken.values())) == 12
    assert look.colours(["CLOOME", "Untrained"]) == {name: taken[name] for name in ("CLOOME", "Untrained")}
    assert len(look.colours([f"method {i}" for i in range(30)])) == 30


CORRECTED = ["sphered", "robust z", "TVN"]


def test_corrected_methods_follow_the_method_that_they_correct_in_its_colour():
    look = Look(models={"cloome": "CLOOME", "other": "CLOOME, sphered by me"})
    plain = ["CLOOME", "CLOOME, sphered by me", *BASELINES, *ORACLES]
    corrected = [f"{method}, {label}" for method in ("Profiles", "CLOOME") for label in CORRECTED]
    assert look.in_order([*corrected, *plain, "CLOOME, mine"])[:9] == [
        *("CLOOME", "CLOOME, robust z", "CLOOME, sphered", "CLOOME, TVN", "CLOOME, sphered by me"),
        *("Profiles", "Profiles, robust z", "Profiles, sphered", "Profiles, TVN"),
    ]
    colours = look.colours([*plain, *corrected])
    assert {name: colours[name] for name in plain} == look.colours(plain), "corrections change no other colour"
    for name in corrected:
        assert colours[name] == colours[name.rpartition(", ")[0]]
    drawn = [(look.marker(name), look.variant(name).line, look.variant(name).hatch) for name in corrected[:3]]
    for kind in zip(*drawn, ("o", "-", ""), strict=True):
        assert len(set(kind)) == 4
    assert not {look.marker(name) for name in corrected} & {look.marker(name) for name in plain}
    assert look.variant("Profiles").line == "-"


def test_a_model_that_is_named_like_a_corrected_method_is_a_model():
    look = Look(models={"cloome": "CLOOME", "trained": "CLOOME, sphered"})
    assert len(set(look.colours(["CLOOME", "CLOOME, sphered"]).values())) == 2
    assert look.variant("CLOOME, sphered").uncorrected == ""


def test_the_first_model_is_what_the_study_is_about():
    assert Look(models={"profile": "Profile model", "cloome": "CLOOME"}).model == "Profile model"
    assert Look("title").model == ""


def test_titles_say_what_is_simulated():
    look = Look("random split", "simulated data")
    assert look.heading == "random split · simulated data"
    assert look.warning == " — SIMULATED DATA"
    assert look.add_title(Figure())._suptitle.get_text() == "random split · simulated data"
    assert look.add_title(Figure(), "top-1")._suptitle.get_text() == "random split · top-1 · simulated data"
    real = Look("random split")
    assert (real.heading, real.warning) == ("random split", "")
    assert real.add_title(Figure())._suptitle.get_text() == "random split"
    message = look.message("Nothing was found.")
    assert not message.axes
    assert message.texts[0].get_text() == "Nothing was found."
    assert message._suptitle.get_text() == "random split · simulated data"


def test_the_legend_shows_what_is_drawn():
    look = Look(models=FIVE)
    axis = Figure().subplots()
    entries = look.legend_entries(["Zeta", "Profiles"])
    assert [entry.get_label() for entry in entries] == ["Zeta", "Profiles"]
    for place, entry in enumerate(entries):
        row = {"method": entry.get_label(), "value": 0.5, "low": 0.4, "high": 0.7}
        look.mark(axis, place, row, look.colours([entry.get_label()])[entry.get_label()])
        interval, point = axis.lines[-2:]
        assert (point.get_marker(), point.get_color()) == (entry.get_marker(), entry.get_color())
        np.testing.assert_array_equal(point.get_xydata(), [[place, 0.5]])
        np.testing.assert_array_equal(interval.get_xydata(), [[place, 0.4], [place, 0.7]])
    look.mark(axis, 2, {"method": "Zeta", "value": 0.5, "low": None, "high": np.nan}, "0.1")
    assert len(axis.lines) == 5, "a value without an interval has no line"


def test_single_draw_of_ranks_and_of_metrics():
    table = pd.DataFrame(
        {"draw": [0, 0, 1, 0], "shown_by": ["field", "mean", "field", "field"], "images": [*["clean"] * 3, "turned"]}
    )
    assert style.single_draw(table).index.tolist() == [0]
    assert style.single_draw(table, "turned").index.tolist() == [3]
    assert style.single_draw(table.iloc[1:3]).index.tolist() == [1]
    assert style.single_draw(table.assign(draws=[10, 1, 1, 1]).drop(columns="draw")).index.tolist() == [2]
