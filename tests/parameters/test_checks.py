"""Parts of the checks that need no whole configuration; the rest is in tests/test_hooks.py."""

import pytest

from cloome_kedro.parameters import ModelParameters
from cloome_kedro.parameters.checks import GROUPS
from environments import WITHOUT_DATA, configured


@pytest.mark.parametrize("env", WITHOUT_DATA)
def test_every_group_of_the_project_is_checked(env):
    groups = {name for name in configured("parameters", env) if not name.startswith("_")}
    assert groups == {*GROUPS, "models", "seed"}
    assert ModelParameters not in GROUPS.values()
