import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from cloome_kedro.evaluation.confounders import confounder_vectors

WELLS = ["A01", "A02", "B01", "P24", "AF48", "C03"]
FIELDS = pd.DataFrame({"field_id": list("abcdef"), "plate": ["P1", "P1", "P2", "P3", "P2", "P1"], "well": WELLS})
COUNTS = pd.DataFrame({"field_id": list("fedcba"), "nuclei": [0.0, 3.0, 60.0, 59.0, 120.0, 3.0]})


def test_vectors_are_of_unit_length():
    vectors = confounder_vectors(FIELDS, COUNTS)
    assert list(vectors) == ["Plate only", "Well position only", "Cell count only"]
    for name, found in vectors.items():
        assert found.dtype == (np.float32 if name == "Plate only" else np.float64)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, err_msg=name)


def test_plates_are_the_same_or_not():
    found = confounder_vectors(FIELDS, COUNTS)["Plate only"]
    same = FIELDS["plate"].to_numpy()[:, None] == FIELDS["plate"].to_numpy()
    np.testing.assert_array_equal(found @ found.T, same)


def test_cell_counts_are_ordered_by_their_difference():
    found = confounder_vectors(FIELDS, COUNTS)["Cell count only"]
    nuclei = COUNTS.set_index("field_id").loc[FIELDS["field_id"], "nuclei"].to_numpy()
    difference = np.abs(nuclei[:, None] - nuclei)
    scores = found @ found.T
    for row in range(len(FIELDS)):
        assert spearmanr(scores[row].round(12), -difference[row]).statistic == pytest.approx(1)


def test_closer_wells_are_more_alike():
    wells = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
    fields = pd.DataFrame({"field_id": wells, "plate": "P", "well": wells})
    found = confounder_vectors(fields, COUNTS[:0])["Well position only"].reshape(16, 24, -1)
    scores = found[5, 7] @ found.reshape(384, -1).T
    scores = scores.reshape(16, 24)
    assert scores.argmax() == 5 * 24 + 7
    steps = np.diff(scores, axis=0), np.diff(scores, axis=1)
    assert (steps[0][:5] > 0).all()
    assert (steps[0][5:] < 0).all()
    assert (steps[1][:, :7] > 0).all()
    assert (steps[1][:, 7:] < 0).all()
    assert scores[6, 7] == pytest.approx(scores[5, 8]), "a row is as far as a column"


def test_double_letters_follow_single_ones():
    fields = pd.DataFrame({"field_id": list("abc"), "plate": "P", "well": ["Z01", "AA01", "AB01"]})
    found = confounder_vectors(fields, COUNTS[:0])["Well position only"]
    assert found[0] @ found[1] > found[0] @ found[2]


def test_without_all_counts_there_is_no_baseline_of_counts(caplog):
    assert "Cell count only" not in confounder_vectors(FIELDS, COUNTS[1:])
    assert "1 of 6 fields have no cell count" in caplog.text


def test_a_well_without_a_name_is_refused():
    with pytest.raises(ValueError, match="b is in well '1A'"):
        confounder_vectors(FIELDS.replace("A02", "1A"), COUNTS)


def test_no_fields_have_no_vectors():
    assert {name: found.shape[0] for name, found in confounder_vectors(FIELDS[:0], COUNTS).items()} == {
        "Plate only": 0, "Well position only": 0, "Cell count only": 0
    }  # fmt: skip
