import pytest

from cloome_kedro.simulation.config import ScreenConfig


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("compounds", 0),
        ("platemaps", 0),
        ("replicates", 0),
        ("sites", 0),
        ("seed", -1),
        ("control_wells", -1),
        ("assays", -1),
        ("field_size", 15),
        ("inactive_fraction", 1.01),
        ("effect_strength", -0.1),
        ("effect_strength", float("nan")),
        ("plate_effect_strength", 2.1),
    ],
)
def test_a_value_out_of_range_is_named(key, value):
    with pytest.raises(ValueError, match=f"screen: {key} must be from .*, is {value}"):
        ScreenConfig(**{key: value})


def test_every_platemap_needs_a_compound():
    with pytest.raises(ValueError, match="3 compounds do not fill 4 platemaps"):
        ScreenConfig(compounds=3)
