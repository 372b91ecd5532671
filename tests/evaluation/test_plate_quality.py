"""Effects of places on plates, against analysis of variance and t tests of other libraries."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cloome_kedro.evaluation.plate_quality import (
    ALL_WELLS,
    CONTROL_WELLS,
    choose_plates,
    plate_deviations,
    position_effects,
    position_means,
)


def plates(number=1, rows=8, columns=12, by_row=0.0, by_edge=0.0, seed=0):
    """Wells with normal noise of standard deviation 1, a linear effect of the row, and one of the edge."""
    generator = np.random.default_rng(seed)
    grid = [(p, r, c) for p in range(number) for r in range(1, rows + 1) for c in range(1, columns + 1)]
    wells = pd.DataFrame(grid, columns=["plate", "row", "column"])
    wells["plate"] = "P" + wells["plate"].astype(str)
    wells["edge"] = wells["row"].isin([1, rows]) | wells["column"].isin([1, columns])
    wells["control"] = wells["column"].isin([1, 2])
    centred = (wells["row"] - (rows + 1) / 2) / np.sqrt((rows**2 - 1) / 12)
    noise = generator.normal(size=len(wells))
    plate = wells["plate"].map({f"P{i}": 100.0 * i for i in range(number)})
    return wells.assign(cells=noise + by_row * centred + by_edge * wells["edge"] + plate)


def effect(wells, factor, basis=ALL_WELLS):
    table = position_effects(wells, ["cells"]).set_index(["basis", "factor"])
    return table.loc[(basis, factor)]


def test_rows_and_columns_equal_an_analysis_of_variance():
    statsmodels = pytest.importorskip("statsmodels.formula.api", reason="statsmodels comes with copairs")
    from statsmodels.stats.anova import anova_lm

    wells = plates(by_row=0.5).drop(index=[3, 40, 41, 42, 80])  # not balanced
    table = anova_lm(statsmodels.ols("cells ~ C(row) + C(column)", wells).fit(), typ=2)
    error, used = table.loc["Residual", "sum_sq"] / table.loc["Residual", "df"], len(wells)
    for factor in ("row", "column"):
        squares, degrees = table.loc[f"C({factor})", ["sum_sq", "df"]]
        omega = (squares - degrees * error) / (squares + (used - degrees) * error)
        found = effect(wells, factor)
        assert found["value"] == pytest.approx(max(0, omega), abs=1e-9)
        assert found["p_value"] == pytest.approx(table.loc[f"C({factor})", "PR(>F)"], abs=1e-9)
        assert found["low"] <= found["value"] <= found["high"]


def test_a_share_of_the_variance_is_recovered_and_its_interval_covers_it():
    """A row effect of standard deviation 0.5 beside noise of 1 is a share of 0.25 / 1.25."""
    found = pd.DataFrame([effect(plates(4, by_row=0.5, seed=seed), "row") for seed in range(40)])
    assert found["value"].mean() == pytest.approx(0.2, abs=0.015)
    assert ((found["low"] <= 0.2) & (found["high"] >= 0.2)).mean() >= 0.85


def test_without_an_effect_the_share_is_near_zero_and_p_values_are_uniform():
    found = pd.DataFrame([effect(plates(2, seed=seed), "column") for seed in range(60)])
    assert found["value"].mean() < 0.03
    assert stats.kstest(found["p_value"], "uniform").pvalue > 0.01


def test_the_edge_of_one_plate_equals_a_t_test():
    wells = plates(by_edge=0.8)
    edge, inner = (wells.loc[wells["edge"] == value, "cells"] for value in (True, False))
    tested = stats.ttest_ind(edge, inner)
    found = effect(wells, "edge")
    assert found["p_value"] == pytest.approx(tested.pvalue)
    free = len(wells) - 2
    pooled = np.sqrt(((len(edge) - 1) * edge.var() + (len(inner) - 1) * inner.var()) / free)
    assert found["value"] == pytest.approx((edge.mean() - inner.mean()) / pooled)
    spread = np.sqrt(len(edge) * len(inner) / len(wells))
    for bound, probability in (("low", 0.975), ("high", 0.025)):
        assert stats.nct.cdf(tested.statistic, free, found[bound] * spread) == pytest.approx(probability, abs=1e-6)


def test_controls_are_measured_alone():
    wells = plates(3, by_row=1.0)
    wells.loc[~wells["control"], "cells"] = np.random.default_rng(1).normal(size=(~wells["control"]).sum())
    assert effect(wells, "row", CONTROL_WELLS)["value"] > 0.3
    assert effect(wells, "row", CONTROL_WELLS)["wells"] == 48
    assert effect(wells, "row")["value"] < 0.2


def test_the_pattern_of_controls_is_common_to_plates():
    statsmodels = pytest.importorskip("statsmodels.formula.api", reason="statsmodels comes with copairs")
    from statsmodels.stats.anova import anova_lm

    wells = plates(3, by_row=0.7)
    wells["control"] = np.random.default_rng(2).random(len(wells)) < 0.2
    fitted = statsmodels.ols("cells ~ C(plate) + C(row) + C(column)", wells[wells["control"]]).fit()
    table = anova_lm(fitted, typ=2)
    found = effect(wells, "column", CONTROL_WELLS)
    assert found["p_value"] == pytest.approx(table.loc["C(column)", "PR(>F)"], abs=1e-9)


def test_what_cannot_be_estimated_is_left_out():
    one_row = plates(rows=1, columns=24)
    assert set(position_effects(one_row, ["cells"])["factor"]) <= {"column", "edge"}
    few = plates(rows=2, columns=3)
    assert position_effects(few, ["cells"]).empty
    assert position_effects(plates().assign(cells=1.0), ["cells"]).empty
    assert position_effects(plates().assign(cells=np.nan), ["cells"]).empty
    assert position_means(plates().assign(cells=np.nan), ["cells"]).empty


def test_means_of_rows_are_in_standard_deviations():
    means = position_means(plates(30, by_row=2.0), ["cells"]).query("axis == 'row'")
    expected = 2 * (np.arange(1, 9) - 4.5) / np.sqrt(63 / 12) / np.sqrt(5)
    assert means["value"].to_numpy() == pytest.approx(expected, abs=0.06)
    assert (means["low"] < means["value"]).all()
    assert means["wells"].eq(360).all()


def test_a_row_with_a_single_well_has_no_interval():
    wells = pd.DataFrame({"plate": "P", "row": [1, 1, 2], "column": [1, 2, 3], "edge": True, "cells": [1.0, 2.0, 5.0]})
    means = position_means(wells, ["cells"]).query("axis == 'row'").set_index("position")
    assert means[["low", "high"]].notna().all(axis=1).to_dict() == {1: True, 2: False}
    assert means["value"].notna().all()


def test_few_plates_have_no_robust_deviations():
    wells = pd.DataFrame({"plate": ["A", "B", "C"], "cells": [10.0, 10.01, 500.0]})
    assert plate_deviations(wells, ["cells"])["cells"].abs().max() < 3


def test_an_unusual_plate_is_shown():
    wells = plates(12)
    wells["cells"] -= wells.groupby("plate")["cells"].transform("median")
    wells["cells"] += wells["plate"].map({"P3": 5.0, "P7": -9.0}).fillna(wells["plate"].str[1:].astype(int) / 50)
    deviations = plate_deviations(wells, ["cells"])
    assert deviations["cells"].abs().nlargest(2).index.tolist() == ["P7", "P3"]
    assert {"P3", "P7"} < set(choose_plates(deviations, 3))
    assert choose_plates(deviations, 1, ["P2", "P1"]) == ["P1", "P2"]
    assert len(choose_plates(deviations, 99)) == 12
    with pytest.raises(ValueError, match="show_plates: there is no plate Q"):
        choose_plates(deviations, 3, ["Q"])
