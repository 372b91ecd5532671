"""Corrections are named, with or without settings; wrong names are refused before a run."""

import pytest
from pydantic import ValidationError

from cloome_kedro.evaluation.corrections import RobustZ, Sphering
from cloome_kedro.parameters import CorrectionParameters
from cloome_kedro.parameters.evaluation import uncorrectable


def test_corrections_are_given_by_name_or_with_settings():
    given = CorrectionParameters(use=["robust_z", {"name": "sphering", "regularisation": 0.1}])
    assert given.use == [RobustZ(), Sphering(regularisation=0.1)]
    assert given.labels == ["robust z", "sphered"]
    assert CorrectionParameters().use == []


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (["sphere"], "there is no correction 'sphere'; the nearest are: sphering"),
        ([{"name": "sphering", "share": 1}], "correction sphering: there is no setting share"),
        ([{"name": "sphering", "regularisation": 2}], "regularisation must be from 0 to 1"),
        ([{"name": "tvn", "coral": 0}], "coral must be a number above 0"),
        (["tvn", {"name": "tvn", "coral": 2}], "two corrections have the name TVN in tables"),
    ],
)
def test_wrong_corrections_are_refused(use, message):
    with pytest.raises(ValidationError, match=message):
        CorrectionParameters(use=use)


def test_methods_that_cannot_be_corrected_are_named():
    values = {"corrections": {"methods": ["CLOOME", "Profiles", "Untrained"]}}
    ((key, text),) = uncorrectable(values, ["CLOOME"])
    assert key == "corrections.methods"
    assert text.endswith("Untrained is not among the methods that can be corrected: CLOOME, Profiles")
    assert not list(uncorrectable({"corrections": {"methods": None}}, ["CLOOME"]))
