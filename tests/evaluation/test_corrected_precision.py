"""Mean average precision of methods of fields, with and without corrections."""

import logging

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.corrected_precision import precision_of_corrections
from cloome_kedro.evaluation.corrections import RobustZ, Sphering
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.precision_comparison import compare_precision
from cloome_kedro.evaluation.profile_moa import correct_profiles

pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")

COMPOUNDS, CONTROLS = 8, 8


def screen(sites, size=6, signal=1.0):
    """Fields of compounds and controls on two plates, in the order of plates and wells."""
    generator = np.random.default_rng(2)
    of_compound = generator.normal(size=(COMPOUNDS, size)) * signal
    rows, vectors = [], []
    for plate in ("P", "Q"):
        for well in range(COMPOUNDS + CONTROLS):
            treated = well < COMPOUNDS
            facts = {"inchikey": f"K{well}", "moa": f"M{well // 2}"} if treated else {"inchikey": None, "moa": None}
            for site in range(sites):
                key = f"s/{plate}/A{well + 1:02d}/{site}"
                rows.append(
                    {"field_id": key, "plate": plate, "well": f"A{well + 1:02d}", "control": not treated, **facts}
                )
                vectors.append((of_compound[well] if treated else 0) + generator.normal(size=size))
    return pd.DataFrame(rows), np.array(vectors)


def methods_of(fields, vectors, normalised=False):
    return {"CLOOME": Method(Embeddings(fields["field_id"].to_numpy(object), vectors), normalised=normalised)}


def test_with_one_field_per_well_it_is_the_comparison_of_wells():
    fields, vectors = screen(sites=1)
    corrections = [RobustZ(), Sphering()]
    table = precision_of_corrections(fields, methods_of(fields, vectors), corrections, 4, seed=1)
    wells = fields.assign(field_id=fields["plate"] + "/" + fields["well"])
    expected = compare_precision(
        wells,
        lambda fitted: correct_profiles(wells, vectors, corrections, 4, fitted),
        [("Profiles, robust z", "Profiles"), ("Profiles, sphered", "Profiles")],
        seed=1,
    )
    pd.testing.assert_frame_equal(table.replace("CLOOME", "Profiles", regex=True), expected, rtol=1e-5)
    assert table["difference"].notna().sum() == 4


def test_without_an_effect_many_dimensions_gain_nothing():
    """Controls that sphering is fitted to come close together. Other controls of the same wells' fields must not."""
    fields, vectors = screen(sites=2, size=60, signal=0)
    table = precision_of_corrections(fields, methods_of(fields, vectors), [Sphering(regularisation=0.01)], 4)
    rows = table.set_index(["matches", "method"]).loc["replicates"]
    assert rows.loc["CLOOME, sphered", "value"] == pytest.approx(rows.loc["CLOOME, sphered", "chance"], abs=0.15)
    assert rows.loc["CLOOME, sphered", "difference"] < 0.1


def test_plates_keep_their_correction_where_a_part_of_the_controls_is_left_out(caplog):
    fields, vectors = screen(sites=2)
    with caplog.at_level(logging.WARNING):
        table = precision_of_corrections(fields, methods_of(fields, vectors), [RobustZ()], 2 * CONTROLS)
    assert not caplog.messages
    assert len(table) == 4
    precision_of_corrections(fields, methods_of(fields, vectors), [RobustZ()], 2 * CONTROLS + 1)
    assert "2 of 2 plates have fewer than 17 controls" in caplog.text


def test_vectors_of_length_1_are_so_again_before_wells_are_averaged():
    """Robust z with a scale per feature, of two fields per well: a reference by hand for mechanisms."""
    fields, vectors = screen(sites=2)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = precision_of_corrections(fields, methods_of(fields, vectors, normalised=True), [RobustZ()], 4)
    corrected = np.empty_like(vectors)
    for plate in ("P", "Q"):
        rows = (fields["plate"] == plate).to_numpy()
        controls = vectors[rows & fields["control"].to_numpy()]
        centre = np.median(controls, axis=0)
        corrected[rows] = (vectors[rows] - centre) / np.median(np.abs(controls - centre), axis=0)
    corrected /= np.linalg.norm(corrected, axis=1, keepdims=True)
    compounds = fields.assign(row=range(len(fields))).dropna(subset="inchikey").groupby("inchikey")["row"]
    means = np.array([corrected[rows].mean(axis=0) for rows in compounds.apply(list)])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    similar = means @ means.T
    precisions = []
    for query in range(COMPOUNDS):
        match = query ^ 1  # the only other compound of the mechanism
        others = np.delete(similar[query], [query, match])
        precisions.append(1 / (1 + (others > similar[query, match]).sum()))
    row = table.set_index(["matches", "method"]).loc[("mechanisms", "CLOOME, robust z")]
    assert row["value"] == pytest.approx(np.mean(precisions), abs=1e-5)


def test_chosen_methods_only_and_none_without_controls(caplog):
    fields, vectors = screen(sites=1)
    methods = methods_of(fields, vectors)
    few = {"few": Method(Embeddings(fields["field_id"].to_numpy(object)[:20], vectors[:20]), normalised=False)}
    table = precision_of_corrections(fields, methods | few, [RobustZ()], 4, ["few"])
    assert set(table["method"]) == {"few", "few, robust z"}
    none = precision_of_corrections(fields.assign(control=False), methods, [RobustZ()], 4)
    assert none.empty
    assert none.columns.tolist() == table.columns.tolist()
    assert "no field is a control: params:corrections.use corrects nothing" in caplog.text
