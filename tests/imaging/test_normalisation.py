import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro import schemas
from cloome_kedro.imaging.config import Normalisation, Selection
from cloome_kedro.imaging.normalisation import normalise_profiles
from cloome_kedro.stores import TableStore

UNCLIPPED = Normalisation(clip=1e6)
EVERYTHING = Selection(operations=())


def raw_plate(rng, fields=60, features=5):
    """Raw features of a plate, without the number of nuclei."""
    scale = 10.0 ** rng.integers(-3, 4, features)
    return pd.DataFrame(rng.normal(5, 1, (fields, features)) * scale, columns=[f"f{i}" for i in range(features)])


class Screen:
    """Plates of raw profiles in a store; the first 20 fields of a plate are controls."""

    def __init__(self, folder, controls=20, **plates):
        self.store = TableStore(folder)
        tables = []
        for name, raw in plates.items():
            ids = [f"s/{name}/A01/{row}" for row in range(len(raw))]
            self.store.write(name, raw.astype(np.float32).assign(field_id=ids), f"digest of {name}")
            control = np.arange(len(raw)) < controls
            tables.append(pd.DataFrame({"field_id": ids, "plate_file": name, "control": control}))
        self.fields = pd.concat(tables, ignore_index=True)
        self.index = pd.DataFrame({"plate_file": list(plates), "digest": [f"digest of {name}" for name in plates]})

    def normalise(self, normalisation=UNCLIPPED, selection=EVERYTHING):
        return normalise_profiles(self.store, self.index, self.fields, normalisation, selection)

    def plate(self, profiles, name, controls=False):
        """Features of a plate, or of its controls."""
        ours = self.fields[(self.fields["plate_file"] == name) & (self.fields["control"] | (not controls))]
        return profiles.set_index("field_id").loc[ours["field_id"]]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_controls_of_each_plate_have_median_0_and_mad_1(tmp_path, rng):
    screen = Screen(tmp_path, P1=raw_plate(rng), P2=100 + 7 * raw_plate(rng))
    profiles = schemas.field_profiles.validate(screen.normalise())
    assert profiles["field_id"].tolist() == screen.fields["field_id"].tolist()
    assert set(profiles.dtypes[1:]) == {np.dtype(np.float32)}
    for name in ("P1", "P2"):
        controls = screen.plate(profiles, name, controls=True)
        np.testing.assert_allclose(controls.median(), 0, atol=1e-5)
        np.testing.assert_allclose(1.4826 * (controls - controls.median()).abs().median(), 1, rtol=1e-5)


def test_values_are_those_of_the_formula(tmp_path, rng):
    raw = raw_plate(rng)
    screen = Screen(tmp_path, P1=raw)
    controls = raw.astype(np.float32)[:20]
    mad = 1.4826 * (controls - controls.median()).abs().median()
    expected = (raw - controls.median()) / mad
    np.testing.assert_allclose(screen.normalise().set_index("field_id"), expected, rtol=1e-3, atol=1e-3)
    expected = (raw - controls.mean()) / controls.std(ddof=0)
    standardised = screen.normalise(replace(UNCLIPPED, method="standardize")).set_index("field_id")
    np.testing.assert_allclose(standardised, expected, rtol=1e-3, atol=1e-3)


@settings(max_examples=15)
@given(st.floats(0.1, 10), st.floats(-50, 50), st.sampled_from(["mad_robustize", "standardize"]))
def test_what_a_plate_does_to_all_its_fields_is_removed(tmp_path_factory, gain, offset, method):
    raw = pd.DataFrame(np.random.default_rng(0).normal(10, 1, (40, 4)), columns=list("abcd"))
    screen = Screen(tmp_path_factory.mktemp("s"), P1=raw, P2=gain * raw + offset)
    profiles = screen.normalise(replace(UNCLIPPED, method=method))
    np.testing.assert_allclose(screen.plate(profiles, "P1"), screen.plate(profiles, "P2"), atol=2e-3)


def test_a_plate_with_few_controls_is_its_own_reference(tmp_path, rng, caplog):
    screen = Screen(tmp_path, P1=raw_plate(rng), controls=7)
    profiles = screen.normalise().drop(columns="field_id")
    np.testing.assert_allclose(profiles.median(), 0, atol=1e-5)
    assert [record.levelname for record in caplog.records].count("WARNING") == 1
    assert "plate P1 has 7 control fields, fewer than profiles.normalise.minimum_controls (8)" in caplog.text


def test_features_without_spread_among_controls_are_dropped(tmp_path, rng):
    raw = raw_plate(rng).assign(constant=3.0, rare=np.where(np.arange(60) > 30, 1.0, 0.0))
    for method in ("mad_robustize", "standardize"):
        screen = Screen(tmp_path, P1=raw)
        profiles = screen.normalise(Normalisation(method=method), Selection())
        assert set(profiles) == {"field_id", *(f"f{i}" for i in range(5))}


@pytest.mark.filterwarnings("error")
def test_missing_values_become_the_controls_centre(tmp_path, rng, caplog):
    caplog.set_level(logging.INFO)
    raw = raw_plate(rng, fields=100)
    raw.loc[[50, 51], "f1"] = np.nan
    raw["never"] = np.nan
    profiles = Screen(tmp_path, P1=raw).normalise(Normalisation(), Selection())
    assert (profiles.loc[[50, 51], "f1"] == 0).all()
    assert "never" not in profiles
    assert "2 of 500 values (0.40 %) were missing and set to 0" in caplog.text


def test_dead_fields_do_not_cost_the_features_of_nuclei(tmp_path, rng):
    raw = raw_plate(rng).assign(Nuclei_Count=rng.integers(5, 20, 60))
    raw.loc[30:49, [f"f{i}" for i in range(5)]] = np.nan
    raw.loc[30:49, "Nuclei_Count"] = 0
    profiles = Screen(tmp_path, P1=raw).normalise(Normalisation(), Selection())
    assert set(profiles) == {"field_id", "Nuclei_Count", *(f"f{i}" for i in range(5))}
    assert (profiles.loc[30:49, "f0"] == 0).all()
    assert (profiles.loc[30:49, "Nuclei_Count"] < -1).all(), "zero is a value"


def test_values_are_clipped(tmp_path, rng):
    raw = raw_plate(rng)
    raw.loc[59, "f0"] = 1e9
    assert Screen(tmp_path, P1=raw).normalise(Normalisation(clip=20.0))["f0"].max() == 20


def test_of_two_features_that_say_the_same_one_is_left(tmp_path, rng):
    raw = raw_plate(rng)
    raw["twin"] = 2 * raw["f2"] + rng.normal(0, 0.001 * raw["f2"].std(), 60)
    profiles = Screen(tmp_path, P1=raw).normalise(Normalisation(), Selection())
    assert len({"f2", "twin"} & set(profiles)) == 1
    assert {"f0", "f1", "f3", "f4"} <= set(profiles)
    profiles = Screen(tmp_path, P1=raw).normalise(Normalisation(), Selection(correlation_threshold=1.0))
    assert {"f2", "twin"} <= set(profiles)


def test_selection_on_a_sample_is_repeatable(tmp_path, rng):
    plates = {f"P{i}": raw_plate(rng, features=8) for i in range(3)}
    for raw in plates.values():
        raw["near"] = raw["f0"] + rng.normal(0, 0.48 * raw["f0"].std(), 60)  # correlates at about 0.9
    screen = Screen(tmp_path, **plates)
    selections = [Selection(fields=15, seed=seed) for seed in range(8)]
    chosen, again = ({s.seed: tuple(screen.normalise(Normalisation(), s)) for s in selections} for _ in range(2))
    assert chosen == again
    assert len(set(chosen.values())) > 1, "another sample can select others"


def test_no_feature_left_stops_the_run(tmp_path, rng):
    screen = Screen(tmp_path, P1=pd.DataFrame({"a": np.ones(30), "b": np.zeros(30)}))
    with pytest.raises(ValueError, match=r"profiles\.select\.operations: drop_na_columns removes all 2 features"):
        screen.normalise(Normalisation(), Selection())


def test_no_nucleus_anywhere_stops_the_run(tmp_path, rng):
    screen = Screen(tmp_path, P1=raw_plate(rng).assign(Nuclei_Count=0))
    with pytest.raises(ValueError, match=r"no field has a nucleus; correct profiles\.measure\.nucleus_diameter"):
        screen.normalise(Normalisation(), Selection())


def test_profiles_that_do_not_fit_stop_the_run(tmp_path, rng):
    screen = Screen(tmp_path, P1=raw_plate(rng), P2=raw_plate(rng))
    fields = screen.fields
    screen.fields = pd.concat([fields, fields.iloc[[-1]].assign(field_id="s/P2/B01/1")])
    with pytest.raises(ValueError, match=r"P2\.parquet has no field s/P2/B01/1"):
        screen.normalise()
    screen.fields = fields
    screen.store.write("P2", screen.store.read("P2"), "something else")
    with pytest.raises(ValueError, match=r"P2\.parquet is missing or differs from profile_index"):
        screen.normalise()
