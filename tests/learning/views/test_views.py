"""The registry of views."""

import json

import numpy as np
import pytest

from cloome_kedro.learning.views import VIEWS
from cloome_kedro.learning.views.base import View
from cloome_kedro.learning.views.images import Images, ImageSettings
from cloome_kedro.learning.views.morgan import Morgan, MorganSettings
from cloome_kedro.learning.views.profiles import Profiles, ProfileSettings
from cloome_kedro.learning.views.scaling import as_text
from cloome_kedro.learning.views.structures import Structures, StructureSettings
from cloome_kedro.learning.views.table import TableFeatures, TableSettings
from stored_plates import STORAGE

FITTED = {
    "images": Images(32, (0.9, 1.0), mean=(1.0, 2.0, 3.0, 4.0, 5.0), std=(2.0,) * 5, storage=STORAGE),
    "profiles": Profiles(("area", "texture"), (0.1, -2e5), (1e-3, 1.0)),
    "table": TableFeatures(("a",), (0.5,), (2.0,), "signed_log", as_text(np.ones((1, 1))), 1, table="dino", key="well"),
    "morgan": Morgan(2, 64, False),
    "structures": Structures({"a": {"kind": "descriptors", "size": 1, "names": ["b"]}}, "log1p", 5.0, (0.5,), (2.0,)),
}


@pytest.mark.parametrize("name", FITTED)
def test_a_fitted_view_is_what_its_description_says(name):
    view = FITTED[name]
    described = json.loads(json.dumps(VIEWS.describe(view)))
    assert described["name"] == name
    assert VIEWS.make(described) == view


def test_every_view_is_listed_with_its_settings_and_with_what_it_reads():
    settings = {"images": ImageSettings, "profiles": ProfileSettings, "table": TableSettings, "morgan": MorganSettings}
    settings["structures"] = StructureSettings
    needed = {"table": {"table": "dino"}, "structures": {"sets": ("counts",)}}
    assert set(VIEWS) == set(FITTED) == set(settings)
    for name in VIEWS:
        assert issubclass(VIEWS[name], View)
        assert VIEWS.settings(VIEWS[name]) is settings[name]
        assert VIEWS.name_of(settings[name](**needed.get(name, {}))) == name
    reads = {
        "images": ("plate_store", "plate_statistics"),
        "profiles": ("field_profiles",),
        "table": ("{table}_features", "fields"),
        "morgan": ("fingerprints",),
        "structures": ("structure_features",),
    }
    assert {name: VIEWS.facts(name)["reads"] for name in VIEWS} == reads


def test_a_description_that_fits_no_view_is_refused():
    with pytest.raises(ValueError, match="there is no view 'image'; the nearest are: images"):
        VIEWS.make({"name": "image"})
    with pytest.raises(ValueError, match=r"view morgan: .*unexpected keyword argument 'width'"):
        VIEWS.make({"name": "morgan", "width": 3})


def test_without_an_override_training_sees_what_evaluation_sees():
    class Plain(View):
        inputs = 1

        def rows(self, table, sources):
            raise NotImplementedError

        def __call__(self, batch):
            return batch + 1

    assert Plain().augment(np.float64(2), np.arange(1)) == 3
    assert Plain().differences({}, {}) == []
