"""Mean average precision by copairs, against scikit-learn and scipy on small data."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control
from sklearn.metrics import average_precision_score

from blocked_imports import run_with_the_rest_blocked
from cloome_kedro.evaluation.average_precision import mechanism_precision, replicate_precision, well_means

pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")

SETTINGS = {"null_size": 500, "resamples": 200}


def screen(signal=1.0, plates=3, compounds=6, controls=5, size=8):
    """Wells of compounds on plates, each with its direction and noise, and controls with noise alone."""
    generator = np.random.default_rng(4)
    directions = generator.normal(size=(compounds, size))
    rows, vectors = [], []
    for plate in range(plates):
        for number in range(compounds + controls):
            control = number >= compounds
            key = None if control else f"K{number}"
            moa = None if control else f"M{number // 2}"
            rows.append((f"P{plate}", f"A{number + 1:02d}", key, moa, control))
            vectors.append(generator.normal(size=size) + (0 if control else signal * directions[number]))
    return pd.DataFrame(rows, columns=["plate", "well", "inchikey", "moa", "control"]), np.array(vectors)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_replicates_equal_a_direct_calculation():
    wells, vectors = screen()
    result = replicate_precision(wells, vectors, **SETTINGS)
    similar = unit(vectors) @ unit(vectors).T
    expected = {}
    for key in wells["inchikey"].dropna().unique():
        queries = np.flatnonzero(wells["inchikey"] == key)
        precisions = []
        for query in queries:
            matches = [other for other in queries if other != query]
            others = np.flatnonzero(wells["control"] & (wells["plate"] == wells["plate"][query])).tolist()
            truth = [1] * len(matches) + [0] * len(others)
            precisions.append(average_precision_score(truth, similar[query, matches + others]))
        expected[key] = np.mean(precisions)
    assert result.groups["group"].tolist() == list(expected)
    assert result.groups["value"].to_numpy() == pytest.approx(list(expected.values()), abs=1e-6)
    assert result.value == pytest.approx(np.mean(list(expected.values())), abs=1e-6)
    assert result.by_compound.to_dict() == pytest.approx(expected, abs=1e-6)
    assert result.low < result.value < result.high
    assert (result.n, result.groups["queries"].tolist()) == (6, [3] * 6)
    corrected = false_discovery_control(result.groups["p_value"])
    assert result.groups["corrected_p_value"].to_numpy() == pytest.approx(corrected)


def test_chance_is_the_mean_of_random_rankings():
    wells, vectors = screen()
    result = replicate_precision(wells, vectors, **SETTINGS)
    generator = np.random.default_rng(0)
    truth = np.array([1, 1, 0, 0, 0, 0, 0])
    drawn = [average_precision_score(truth, generator.permutation(7)) for _ in range(3000)]
    assert result.chance == pytest.approx(np.mean(drawn), abs=0.02)


def test_mechanisms_equal_a_direct_calculation():
    wells, vectors = screen()
    result = mechanism_precision(wells, vectors, **SETTINGS)
    treated = ~wells["control"]
    means = pd.DataFrame(vectors[treated]).groupby(wells.loc[treated, "inchikey"].to_numpy()).mean()
    similar = unit(means.to_numpy()) @ unit(means.to_numpy()).T
    mechanism = np.arange(6) // 2
    precisions = [
        average_precision_score(np.delete(mechanism == mechanism[i], i), np.delete(similar[i], i)) for i in range(6)
    ]
    assert result.groups["group"].tolist() == ["M0", "M1", "M2"]
    assert result.groups["value"].to_numpy() == pytest.approx(np.reshape(precisions, (3, 2)).mean(axis=1), abs=1e-6)
    assert result.value == pytest.approx(np.mean(precisions), abs=1e-6)
    assert result.by_compound.to_dict() == pytest.approx({f"K{i}": precisions[i] for i in range(6)}, abs=1e-6)


def test_a_compound_with_several_mechanisms_is_in_each_of_them():
    wells, vectors = screen()
    wells["moa"] = wells["moa"].replace({"M0": "M0|M1"})
    result = mechanism_precision(wells, vectors, **SETTINGS)
    assert result.groups["group"].tolist() == ["M0", "M1", "M2"]
    assert result.groups["queries"].tolist() == [2, 4, 2]  # K0 and K1 are in M0 and M1


def test_planted_effects_are_significant_and_noise_is_not():
    strong = replicate_precision(*screen(signal=20.0, controls=12), **SETTINGS)
    noise = replicate_precision(*screen(signal=0.0, controls=12), **SETTINGS)
    assert strong.significant == 1
    assert strong.value == pytest.approx(1)
    assert noise.significant == 0
    assert noise.low < noise.chance + 0.15
    assert noise.groups["p_value"].between(1 / 501, 1).all()


def test_a_perfect_ranking_among_few_controls_is_not_significant():
    """With one replicate and one control, every second random ranking is perfect."""
    result = replicate_precision(*screen(signal=20.0, plates=2, controls=1), **SETTINGS)
    assert result.groups["value"].tolist() == [1.0] * 6
    assert result.groups["p_value"].between(0.35, 0.65).all()


def test_replicates_on_one_plate_match_if_there_is_only_one():
    wells, vectors = screen()
    one_plate = wells.assign(plate="P", well=wells["plate"] + wells["well"])
    result = replicate_precision(one_plate, vectors, **SETTINGS)
    assert result.protocol.startswith("other wells")
    assert result.groups["queries"].tolist() == [3] * 6
    assert replicate_precision(wells, vectors, **SETTINGS).protocol.startswith("wells of the same compound on other")


def test_equal_seeds_give_equal_results_and_nothing_is_kept_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    first, second = (replicate_precision(*screen(), **SETTINGS, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.groups, second.groups)
    assert (first.low, first.high) == (second.low, second.high)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lacking", ["controls", "replicates", "mechanisms", "everything"])
def test_without_pairs_there_are_no_groups(lacking):
    wells, vectors = screen()
    if lacking == "controls":
        kept = ~wells["control"]
    elif lacking == "replicates":
        kept = wells["plate"] == "P0"
    elif lacking == "mechanisms":
        kept = wells["moa"] == "M0"
    else:
        kept = wells["plate"] == "nowhere"
    function = mechanism_precision if lacking == "mechanisms" else replicate_precision
    result = function(wells[kept], vectors[kept], **SETTINGS)
    assert (result.n, len(result.groups)) == (0, 0)
    assert np.isnan([result.value, result.low, result.high, result.significant]).all()


def test_vectors_without_a_direction_are_left_out(caplog):
    wells, vectors = screen()
    vectors[0], vectors[1] = 0, np.nan
    result = replicate_precision(wells, vectors, **SETTINGS)
    assert result.groups["queries"].tolist() == [2, 2, 3, 3, 3, 3]
    assert "2 of 33 vectors are zero or not finite" in caplog.text


def test_a_compound_in_very_many_wells_is_drawn_from(monkeypatch):
    monkeypatch.setattr("cloome_kedro.evaluation.average_precision._MOST_WELLS", 2)
    result = replicate_precision(*screen(), **SETTINGS)
    assert result.groups["queries"].tolist() == [2] * 6


def test_wells_are_means_of_their_fields():
    fields = pd.DataFrame({"plate": ["Q", "P", "P", "P"], "well": ["A01", "A02", "A02", "A01"], "control": True})
    wells, means = well_means(fields, np.array([[1.0], [2.0], [4.0], [np.nan]]))
    assert wells[["plate", "well"]].to_numpy().tolist() == [["P", "A02"], ["Q", "A01"]]
    assert means.tolist() == [[3.0], [1.0]]


def test_without_copairs_one_message_names_the_extra():
    code = """
import numpy, pandas
from cloome_kedro.evaluation.average_precision import replicate_precision
from cloome_kedro.evaluation.precision_summary import is_available
wells = pandas.DataFrame({"plate": ["P", "Q", "P"], "well": "A01", "inchikey": ["K", "K", None]})
assert not is_available()
replicate_precision(wells.assign(control=wells["inchikey"].isna()), numpy.ones((3, 2)))
"""
    ran = run_with_the_rest_blocked(code, ["numpy", "scipy", "pandas", "scikit-learn"])
    assert "pip install 'cloome-kedro[copairs]'" in ran.stderr.splitlines()[-1]
