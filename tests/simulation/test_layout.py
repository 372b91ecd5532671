import numpy as np
import pandas as pd
import pytest

from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.layout import EDGE, PLATE_NOISE, WELL_NOISE, WELLS, lay_out, realise
from cloome_kedro.simulation.phenotype import AXES

CONFIG = ScreenConfig()
IDS = np.array([f"c{i:04d}" for i in range(CONFIG.compounds)])
PHENOTYPE = [f"phenotype_{axis}" for axis in AXES]
REALISED = [f"realised_{axis}" for axis in AXES]


@pytest.fixture(scope="module")
def layout():
    return lay_out(IDS, CONFIG)


@pytest.fixture(scope="module")
def known():
    values = np.random.default_rng(0).normal(size=(len(IDS), len(AXES)))
    table = pd.DataFrame(values, index=pd.Index(IDS, name="compound_id"), columns=PHENOTYPE)
    table.insert(0, "potency", 1.0)
    table.insert(0, "mechanism", "m")
    return table


@pytest.fixture(scope="module")
def wells(layout, known):
    return realise(*layout, known, CONFIG.seed)


def test_a_plate_has_384_wells_of_which_76_are_on_the_edge():
    assert len(set(WELLS)) == 384
    assert len(set(EDGE)) == 2 * 24 + 2 * 14
    assert {"A01", "P24", "H01", "A12"} <= set(EDGE)
    assert "B02" not in EDGE


def test_every_compound_stands_once_and_every_platemap_has_its_controls(layout):
    platemaps, barcodes = layout
    assert sorted(platemaps["compound_id"].dropna()) == sorted(IDS)
    assert not platemaps.duplicated(["platemap", "well"]).any()
    assert set(platemaps["well"]) <= set(WELLS)
    controls = platemaps[platemaps["compound_id"].isna()]
    assert (controls.groupby("platemap").size() == CONFIG.control_wells).all()
    assert (controls["well"].isin(EDGE).groupby(controls["platemap"]).sum() == CONFIG.control_wells // 4).all()
    assert barcodes["plate"].is_unique
    assert (barcodes["platemap"].value_counts() == CONFIG.replicates).all()


def test_library_order_does_not_follow_plates_or_wells(layout):
    treated = layout[0].dropna()
    order = treated["compound_id"].str[1:].astype(int)
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 0.1


def test_too_many_compounds_for_the_wells():
    with pytest.raises(ValueError, match="need 672 wells per plate, but a plate has 384; raise platemaps"):
        lay_out(IDS, ScreenConfig(platemaps=2))


def test_noise_has_the_stated_size(wells):
    noise = wells[REALISED].to_numpy() - wells[PHENOTYPE].to_numpy()
    plates = pd.DataFrame(noise).groupby(wells["plate"])
    assert plates.std().to_numpy().mean() == pytest.approx(WELL_NOISE, rel=0.02)
    assert plates.mean().to_numpy().std() == pytest.approx(PLATE_NOISE, rel=0.15)


def test_controls_have_no_phenotype_but_noise(wells):
    controls = wells[wells["compound_id"].isna()]
    assert (controls["mechanism"] == "DMSO").all()
    assert (controls["potency"] == 0).all()
    assert not controls[PHENOTYPE].to_numpy().any()
    assert controls[REALISED].to_numpy().std() == pytest.approx(np.hypot(WELL_NOISE, PLATE_NOISE), rel=0.1)


def test_one_plate_is_reproducible_alone(layout, known, wells):
    platemaps, barcodes = layout
    one = barcodes[barcodes["plate"] == barcodes["plate"].iloc[5]]
    alone = realise(platemaps.sample(frac=1, random_state=0), one, known, CONFIG.seed)
    expected = wells[wells["plate"] == one["plate"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected)
