"""Corrections of batch effects: closed forms, and pycytominer as the independent implementation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycytominer.operations.transform import RobustMAD, Spherize

from cloome_kedro.evaluation.corrections import CORRECTIONS, TVN, Controls, RobustZ, Sphering
from cloome_kedro.evaluation.whitening import shrinkage, whitening


def plates_of_controls(seed, n=40, d=5, plates=3):
    """Correlated controls, whose mean and scale differ between plates: vectors and plates."""
    generator = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(generator.normal(size=(d, d)))
    mixing = generator.uniform(0.5, 2, size=(d, 1)) * rotation  # far from singular, so that regularisation is small
    names = np.repeat([f"P{i}" for i in range(plates)], n)
    vectors = generator.normal(size=(n * plates, d)) @ mixing
    for i in range(plates):
        vectors[names == f"P{i}"] = vectors[names == f"P{i}"] * (i + 1) + generator.normal(size=d) * 3
    return vectors, names


def covariance(vectors):
    return np.atleast_2d(np.cov(vectors, rowvar=False))


@given(seed=st.integers(0, 1000), d=st.integers(1, 6), n=st.integers(10, 40), method=st.sampled_from(["ZCA", "PCA"]))
@settings(max_examples=25)
def test_whitened_controls_have_the_identity_as_covariance(seed, d, n, method):
    generator = np.random.default_rng(seed)
    vectors = generator.normal(size=(n, d)) @ generator.normal(size=(d, d)) + 5
    centred = vectors - vectors.mean(axis=0)
    matrix = whitening(centred, method)
    np.testing.assert_allclose(covariance(centred @ matrix), np.eye(d), atol=1e-6)
    if method == "ZCA":
        np.testing.assert_allclose(matrix, matrix.T, atol=1e-7 * np.abs(matrix).max())


@pytest.mark.parametrize("shape", [(50, 6), (5, 8)], ids=["more controls", "more features"])
@pytest.mark.parametrize("method", ["ZCA", "PCA"])
def test_whitening_is_that_of_pycytominer(method, shape):
    """With fewer controls than features, too: both fill empty directions with the smallest other one."""
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=shape) @ generator.normal(size=(shape[1], shape[1]))
    treated = generator.normal(size=(7, shape[1])) * 3
    theirs = Spherize(epsilon=0, center=True, method=method, return_numpy=True).fit(pd.DataFrame(vectors))
    expected = theirs.transform(pd.DataFrame(treated))
    centre = vectors.mean(axis=0)
    found = (treated - centre) @ whitening(vectors - centre, method)
    # The directions without variance are arbitrary among themselves, so their axes differ in PCA. Lengths do not.
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-8)
    if method == "ZCA":
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    elif shape[0] > shape[1]:
        np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-8)


def test_regularisation_is_a_share_of_the_mean_variance():
    centred = np.array([[2.0, 0], [-2, 0], [0, 1], [0, -1]])  # variances 8/3 and 2/3
    for share in (0.25, 1.0):
        scales = 1 / np.sqrt((1 - share) * np.array([8 / 3, 2 / 3]) + share * 5 / 3)
        np.testing.assert_allclose(whitening(centred, "ZCA", share), np.diag(scales), atol=1e-12)


def test_the_formula_shrinks_more_with_fewer_controls():
    from sklearn.covariance import LedoitWolf

    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(400, 20)) * np.linspace(0.1, 3, 20)
    vectors -= vectors.mean(axis=0)
    shares = [shrinkage(vectors[:n]) for n in (15, 60, 400)]
    assert 1 > shares[0] > shares[1] > shares[2] > 0
    assert shares[2] == pytest.approx(LedoitWolf(assume_centered=True).fit(vectors).shrinkage_)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_sphered_controls_of_all_plates_have_mean_0_and_covariance_1(seed):
    vectors, plates = plates_of_controls(seed)
    fitted = Sphering(regularisation=0).fit(Controls(vectors, plates, 8))
    corrected = fitted.fields(vectors, plates)
    np.testing.assert_allclose(covariance(corrected), np.eye(5), atol=1e-8)
    for plate in set(plates):
        np.testing.assert_allclose(corrected[plates == plate].mean(axis=0), 0, atol=1e-8)


def test_sphering_maps_compounds_as_a_field_of_the_mean_plate():
    vectors, plates = plates_of_controls(0)
    fitted = Sphering().fit(Controls(vectors, plates, 8))
    compounds = np.random.default_rng(1).normal(size=(4, 5))
    assert fitted.compounds is not None
    shift = vectors[plates == "P1"].mean(axis=0) - vectors.mean(axis=0)
    np.testing.assert_allclose(fitted.compounds(compounds), fitted.fields(compounds + shift, ["P1"] * 4), atol=1e-10)
    np.testing.assert_allclose(fitted.compounds(compounds), fitted.fields(compounds, ["other"] * 4), atol=1e-12)
    for correction in (RobustZ(), TVN()):
        assert correction.fit(Controls(vectors, plates, 8)).compounds is None, "each plate has another scale"


def test_axes_of_sphering_do_not_matter_for_cosines():
    vectors, plates = plates_of_controls(0)
    first, second = (
        Sphering(method).fit(Controls(vectors, plates, 8)).fields(vectors, plates) for method in ("ZCA", "PCA")
    )
    np.testing.assert_allclose(first @ first.T, second @ second.T, atol=1e-8)


def test_robust_z_is_that_of_pycytominer_on_every_plate():
    vectors, plates = plates_of_controls(0)
    treated = np.random.default_rng(1).normal(size=(6, 5))
    fitted = RobustZ().fit(Controls(vectors, plates, 8))
    for plate in set(plates):
        theirs = RobustMAD(epsilon=0).fit(pd.DataFrame(vectors[plates == plate]))
        expected = theirs.transform(pd.DataFrame(treated)).to_numpy()
        np.testing.assert_allclose(fitted.fields(treated, [plate] * 6), expected, rtol=1e-10)


def test_a_feature_without_spread_is_0_on_its_plate_only():
    vectors, plates = plates_of_controls(0)
    vectors[plates == "P0", 2] = 0.1
    corrected = RobustZ().fit(Controls(vectors, plates, 8)).fields(vectors + 1, plates)
    assert (corrected[plates == "P0", 2] == 0).all()
    assert (corrected[plates == "P1", 2] != 0).all()
    assert np.isfinite(corrected).all()


@given(seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_tvn_with_little_regularisation_makes_every_plate_white(seed):
    """CORAL moves the covariance of a plate to that of all, which is 1: exactly so as its regularisation goes to 0."""
    vectors, plates = plates_of_controls(seed)
    corrected = TVN(coral=1e-9).fit(Controls(vectors, plates, 8)).fields(vectors, plates)
    for plate in set(plates):
        np.testing.assert_allclose(corrected[plates == plate].mean(axis=0), 0, atol=1e-8)
        np.testing.assert_allclose(covariance(corrected[plates == plate]), np.eye(5), atol=1e-4)


def test_tvn_is_principal_components_and_then_coral():
    """By scikit-learn and scipy, step by step."""
    from scipy.linalg import fractional_matrix_power
    from sklearn.decomposition import PCA

    vectors, plates = plates_of_controls(3)
    treated = np.random.default_rng(1).normal(size=(6, 5))
    white = PCA(whiten=True).fit(vectors)
    rows = plates == "P2"
    of_plate = white.transform(vectors[rows])
    target = covariance(white.transform(vectors)) + 0.5 * np.eye(5)
    source = covariance(of_plate) + 0.5 * np.eye(5)
    align = fractional_matrix_power(source, -0.5) @ fractional_matrix_power(target, 0.5)
    expected = (white.transform(treated) - of_plate.mean(axis=0)) @ align
    found = TVN(coral=0.5).fit(Controls(vectors, plates, 8)).fields(treated, ["P2"] * 6)
    # The signs of principal components are arbitrary
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-8)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, rtol=1e-8)


def test_tvn_drops_directions_in_which_no_control_varies():
    generator = np.random.default_rng(0)
    vectors, plates = generator.normal(size=(12, 30)), np.repeat(["P", "Q"], 6)
    corrected = TVN().fit(Controls(vectors, plates, 6)).fields(vectors, plates)
    assert corrected.shape == (12, 11)
    assert np.isfinite(corrected).all()


@pytest.mark.parametrize("correction", [RobustZ(), Sphering(regularisation=0), TVN()], ids=lambda each: each.label)
def test_treated_wells_have_no_influence_and_small_plates_use_the_controls_of_all(correction):
    vectors, plates = plates_of_controls(0)
    few = np.concatenate([np.flatnonzero(plates != "P2"), np.flatnonzero(plates == "P2")[:3]])
    fitted = correction.fit(Controls(vectors[few], plates[few], 8))
    assert set(fitted.by_plate) == {"P0", "P1"}
    without = correction.fit(Controls(vectors[plates != "P2"], plates[plates != "P2"], 8))
    treated = np.random.default_rng(1).normal(size=(6, 5)) * 9
    np.testing.assert_array_equal(fitted.fields(treated, ["P2"] * 6), without.fields(treated, ["unknown"] * 6))


def test_without_a_plate_that_has_enough_all_controls_make_one_map():
    vectors, plates = plates_of_controls(0, n=5)
    controls = Controls(vectors, plates, 8)
    assert not controls.by_plate
    corrected = Sphering(regularisation=0).fit(controls).fields(vectors, plates)
    np.testing.assert_allclose(covariance(corrected), np.eye(5), atol=1e-8)


@pytest.mark.parametrize("minimum", [1, 8])
def test_too_few_controls_are_refused(minimum):
    with pytest.raises(ValueError, match=r"1 control wells have vectors.*minimum_controls"):
        Controls(np.ones((1, 3)), ["P"], minimum)


def test_controls_that_are_all_the_same_are_refused():
    controls = Controls(np.ones((10, 3)), ["P"] * 10, 8)
    for correction in (Sphering(regularisation=0), Sphering(regularisation=0.5), TVN()):
        with pytest.raises(ValueError, match="all the same"):
            correction.fit(controls)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="regularisation must be from 0 to 1"):
        Sphering(regularisation=1.5)
    with pytest.raises(ValueError, match="coral must be a number above 0"):
        TVN(coral=0)


def test_corrections_are_registered_with_their_names_in_tables():
    assert {name: CORRECTIONS[name].label for name in CORRECTIONS} == {
        "robust_z": "robust z",
        "sphering": "sphered",
        "tvn": "TVN",
    }
