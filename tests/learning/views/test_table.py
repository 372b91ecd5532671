"""The view `table`: keys, columns, duplicates and control wells."""

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from cloome_kedro.learning.views.features import Features
from cloome_kedro.learning.views.table import TableFeatures, TableSettings

NAMES = ("area", "texture", "blur")
WELLS = [(plate, f"{row}{column:02d}") for plate in ("P1", "P2") for row in "AB" for column in range(1, 6)]
#: one field per well, the first column holds controls
FIELDS = pd.DataFrame(
    [
        (f"s/{plate}/{well}/{site}", "s", plate, well, site, well[1:] == "01")
        for plate, well in WELLS
        for site in (1, 2)
    ],
    columns=["field_id", "screen", "plate", "well", "site", "control"],
)
TREATED = FIELDS[~FIELDS["control"]].reset_index(drop=True)
TRAIN = np.arange(0, 16)


def features(metadata, values=None, names=NAMES):
    if values is None:
        values = np.random.default_rng(0).normal([3, -50, 1e3], [2, 0.1, 50], (len(metadata), 3))
    return Features(metadata, tuple(names), np.asarray(values, np.float32), "dino.parquet")


BY_FIELD = features(FIELDS[["field_id"]].sample(frac=1, random_state=0).reset_index(drop=True))
BY_WELL = features(pd.DataFrame(WELLS, columns=["plate", "well"]))
BY_COMPOUND = features(pd.DataFrame({"inchikey": [f"K{i}" for i in range(8)]}))


def fit(data, table=TREATED, train=TRAIN, **settings):
    view = TableSettings(table="dino", **settings).fit(table, sources(data), train, seed=0, progress=False)
    return view, view.rows(table, sources(data))


def sources(data):
    return {"dino_features": data, "fields": FIELDS}


def frame(data):
    return pd.DataFrame(data.values, data.metadata.apply("/".join, axis=1), list(data.names))


def test_rows_are_found_by_field():
    view, rows = fit(BY_FIELD)
    expected = frame(BY_FIELD).loc[TREATED["field_id"]].to_numpy()
    assert (view.key, view.columns, view.inputs) == ("field_id", NAMES, 3)
    assert rows.known.all()
    positions = np.array([5, 0, 31])
    np.testing.assert_array_equal(rows.read(positions), expected[positions])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows.read))(positions), expected[positions])
    np.testing.assert_array_equal(rows.read(positions.reshape(3, 1)), expected[positions][:, None])
    np.testing.assert_allclose(view.mean, expected[TRAIN].mean(0, dtype=float), rtol=1e-6)
    np.testing.assert_allclose(view.std, expected[TRAIN].std(0, dtype=float), rtol=1e-4)


def test_all_fields_of_a_well_have_its_features():
    view, rows = fit(BY_WELL)
    expected = frame(BY_WELL).loc[TREATED["plate"] + "/" + TREATED["well"]].to_numpy()
    assert view.key == "well"
    np.testing.assert_array_equal(rows.read(np.arange(32)), expected)


def test_the_narrowest_key_is_taken_and_a_screen_counts_if_it_is_given():
    by_site = features(FIELDS[["plate", "well", "site"]].astype(str))
    view, rows = fit(by_site)
    assert view.key == "site"
    np.testing.assert_array_equal(rows.read(np.arange(32)), frame(by_site)[~FIELDS["control"].to_numpy()])
    of_screen = features(BY_WELL.metadata.assign(screen="s"), BY_WELL.values)
    np.testing.assert_array_equal(fit(of_screen)[1].read(TRAIN), fit(BY_WELL)[1].read(TRAIN))
    with pytest.raises(ValueError, match="the first key of the screen is s/P1/A02, that of the table is other/P1/A01"):
        fit(features(BY_WELL.metadata.assign(screen="other"), BY_WELL.values))


def test_compounds_have_their_features_too():
    compounds = pd.DataFrame({"inchikey": ["K3", "K9", "K0", "K1"]})
    view, rows = fit(BY_COMPOUND, compounds, np.arange(3))
    assert view.key == "inchikey"
    assert rows.known.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(rows.read(np.array([3, 0])), BY_COMPOUND.values[[1, 3]])


def test_a_key_belongs_to_a_side():
    view = fit(BY_WELL)[0]
    view.check_side("field")
    view.check_side("target")
    by_compound = dataclasses.replace(view, key="inchikey")
    by_compound.check_side("compound")
    with pytest.raises(ValueError, match="the side compound finds its rows by well: the key of compounds must be inch"):
        view.check_side("compound")
    with pytest.raises(ValueError, match="the side field finds its rows by inchikey"):
        by_compound.check_side("field")


def test_keys_of_fields_and_of_compounds_need_a_choice():
    both = features(BY_WELL.metadata.assign(inchikey="K"), BY_WELL.values)
    with pytest.raises(ValueError, match=r"dino.parquet has keys of fields and of compounds: set `key` of the view"):
        fit(both)
    assert fit(both, key="well")[0].key == "well"
    with pytest.raises(ValueError, match="the table of fields or compounds has no column inchikey"):
        fit(both, key="inchikey")
    with pytest.raises(ValueError, match=r"dino.parquet has no column field_id"):
        fit(both, key="field_id")
    with pytest.raises(ValueError, match="has no key: it needs field_id, plate and well, or inchikey"):
        fit(features(pd.DataFrame({"name": range(20)})))


def test_columns_are_chosen_by_expressions():
    view, rows = fit(BY_WELL, columns=("^area$", "^bl"))
    assert view.columns == ("area", "blur")
    np.testing.assert_array_equal(rows.read(TRAIN), fit(BY_WELL)[1].read(TRAIN)[:, [0, 2]])
    reordered = Features(BY_WELL.metadata, ("blur", "new", "area"), BY_WELL.values[:, [2, 1, 0]], "dino.parquet")
    np.testing.assert_array_equal(view.rows(TREATED, sources(reordered)).read(TRAIN), rows.read(TRAIN))
    assert view.rows(TREATED, sources(reordered)).identity == rows.identity
    with pytest.raises(ValueError, match="has no feature area, on which the model was trained: restore the table"):
        view.rows(TREATED, sources(features(BY_WELL.metadata, names=("x", "texture", "blur"))))
    with pytest.raises(
        ValueError, match=r"has no feature with one of the names \^Cells: correct `columns`. Its features"
    ):
        fit(BY_WELL, columns=("^Cells",))
    with pytest.raises(ValueError, match=r"columns: '\(' is not a regular expression"):
        TableSettings(table="dino", columns=("(",))


def test_duplicates_are_an_error_or_the_first_or_their_mean():
    again = pd.concat([BY_WELL.metadata, BY_WELL.metadata[1:3]], ignore_index=True)
    values = np.concatenate([BY_WELL.values, BY_WELL.values[1:3] + 2])
    twice = features(again, values)
    with pytest.raises(ValueError, match=r"2 keys have several rows, such as P1/A02 with 2: set `duplicates`"):
        fit(twice)
    np.testing.assert_array_equal(fit(twice, duplicates="first")[1].read(TRAIN), fit(BY_WELL)[1].read(TRAIN))
    mean = fit(twice, duplicates="mean")[1].read(np.arange(6))
    np.testing.assert_allclose(mean[:4], BY_WELL.values[[1, 1, 2, 2]] + 1, rtol=1e-6)
    np.testing.assert_array_equal(mean[4:], BY_WELL.values[[3, 3]])
    others = TREATED[TREATED["well"] > "A03"].reset_index(drop=True)
    assert fit(twice, others)[1].known.all(), "duplicates of keys that are not asked for do not matter"


def test_a_plate_is_scaled_by_its_controls():
    view, rows = fit(BY_WELL, scaling="controls", minimum_controls=2)
    stored = frame(BY_WELL)
    for plate in ("P1", "P2"):
        controls = stored.loc[[f"{plate}/A01", f"{plate}/B01"]].to_numpy()
        median = np.median(controls, axis=0)
        deviation = 1.482602218505602 * np.median(np.abs(controls - median), axis=0)
        wells = (TREATED["plate"] == plate).to_numpy().nonzero()[0]
        expected = (stored.loc[plate + "/" + TREATED["well"][wells]].to_numpy() - median) / deviation
        np.testing.assert_allclose(rows.read(wells), expected, rtol=1e-4, atol=1e-4)
    assert (view.mean, view.std) == ((0.0,) * 3, (1.0,) * 3)
    whitened, _ = fit(BY_WELL, scaling="controls", minimum_controls=2, transform="signed_log", whiten=2)
    found = whitened(torch.from_numpy(whitened.rows(TREATED, sources(BY_WELL)).read(TRAIN))).numpy()
    np.testing.assert_allclose(np.cov(found, rowvar=False, ddof=0), np.eye(2), atol=1e-3)
    moved = BY_WELL.values + np.where(BY_WELL.metadata["plate"] == "P2", 7, 0)[:, None].astype(np.float32)
    np.testing.assert_allclose(
        fit(features(BY_WELL.metadata, moved), scaling="controls", minimum_controls=2)[1].read(np.arange(32)),
        rows.read(np.arange(32)),
        atol=2e-2,
        err_msg="what moves a whole plate does not matter",
    )


def test_a_plate_with_few_controls_is_scaled_by_all_its_rows(caplog):
    _, rows = fit(BY_WELL, scaling="controls", minimum_controls=3)
    values = frame(BY_WELL).to_numpy()[:10]
    median = np.median(values, axis=0)
    deviation = 1.482602218505602 * np.median(np.abs(values - median), axis=0)
    np.testing.assert_allclose(rows.read(np.array([0])), [(values[1] - median) / deviation], rtol=1e-4)
    assert (
        "2 of 2 plates have fewer than 3 control rows and are scaled by all their rows; the first is P1" in caplog.text
    )
    with pytest.raises(ValueError, match="needs features of fields or wells, but the key is inchikey"):
        fit(BY_COMPOUND, pd.DataFrame({"inchikey": ["K0"]}), np.arange(1), scaling="controls")


def test_plates_of_two_screens_with_one_name_have_their_own_controls():
    """The screen counts if the table of features has it, or if it is a part of the key."""
    screens = pd.concat([FIELDS.assign(screen=name) for name in ("s", "t")], ignore_index=True)
    screens["field_id"] = screens["screen"] + screens["field_id"].str[1:]
    values = (
        np.random.default_rng(1).normal(size=(len(screens), 3)) + 50 * (screens["screen"] == "t").to_numpy()[:, None]
    )
    for columns in (["field_id"], ["screen", "plate", "well", "site"]):
        data = features(screens[columns].astype(str), values)
        settings = TableSettings(table="dino", scaling="controls", minimum_controls=4)
        given = {"dino_features": data, "fields": screens}
        rows = settings.fit(screens, given, np.arange(80), seed=0, progress=False).rows(screens, given)
        plate = screens.query("screen == 't' and plate == 'P2'")
        controls = values[plate.index[plate["control"]]]
        median = np.median(controls, axis=0)
        expected = (values[plate.index] - median) / (1.482602218505602 * np.median(np.abs(controls - median), axis=0))
        np.testing.assert_allclose(rows.read(plate.index.to_numpy()), expected, rtol=1e-3, atol=1e-4)


def test_the_test_fold_changes_nothing():
    changed = BY_WELL.values.copy()
    changed[10:] += 1000  # the other plate
    for settings in ({}, {"scaling": "robust"}, {"whiten": 2, "transform": "signed_log"}):
        assert fit(BY_WELL, **settings)[0] == fit(features(BY_WELL.metadata, changed), **settings)[0]


def test_a_value_that_is_not_finite_is_named():
    values = BY_WELL.values.copy()
    values[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"dino.parquet: blur of well P1/A02 is nan: give it a finite value"):
        fit(features(BY_WELL.metadata, values))
    assert fit(features(BY_WELL.metadata, values), columns=("area", "texture"))[1].known.all()


def test_the_settings_need_a_name_and_a_table_of_features():
    for table in ("", "a/b", "a.b"):
        with pytest.raises(ValueError, match="the view table needs `table`, the name of a table of features"):
            TableSettings(table=table)
    with pytest.raises(ValueError, match="the dataset dino_features is no table of features, but DataFrame"):
        fit(pd.DataFrame())


def test_the_identity_of_rows_is_that_of_their_content():
    view, rows = fit(BY_WELL)
    changed = BY_WELL.values.copy()
    changed[1] += 1
    others = [
        view.rows(TREATED, sources(features(BY_WELL.metadata, changed))).identity,
        view.rows(TREATED[::-1], sources(BY_WELL)).identity,
        dataclasses.replace(view, columns=("area",)).rows(TREATED, sources(BY_WELL)).identity,
        TableFeatures(**{**vars(view), "controls": 2}).rows(TREATED, sources(BY_WELL)).identity,
    ]
    assert len({rows.identity, *others}) == 5
    assert view.rows(TREATED, sources(BY_WELL)).identity == rows.identity
