"""Which tables may stand for field_profiles."""

import numpy as np
import pandas as pd
import pandera.errors
import pytest

from cloome_kedro import schemas


@pytest.fixture
def own_table():
    """As CellProfiler's users have it: over a thousand features, counts among them, and annotation."""
    values = np.random.default_rng(0).normal(size=(3, 1081))
    table = pd.DataFrame(values, columns=[f"Cells_Texture_{i}" for i in range(1081)])
    table = table.assign(Cells_Count=[1, 2, 3], Metadata_Plate=["24277", "24278", None], Metadata_Site=1)
    table.insert(0, "field_id", ["s/24277/A01/1", "s/24277/A01/2", "s/24278/A01/1"])
    return table


def test_a_users_table_is_taken_as_it_is(own_table):
    pd.testing.assert_frame_equal(schemas.field_profiles.validate(own_table), own_table)


def test_what_is_no_profile_is_refused(own_table):
    with pytest.raises(pandera.errors.SchemaError, match=r"Cells_Name.* must be numeric"):
        schemas.field_profiles.validate(own_table.assign(Cells_Name="round"))
    with pytest.raises(pandera.errors.SchemaError, match="field_id"):
        schemas.field_profiles.validate(pd.concat([own_table, own_table], ignore_index=True))
    with pytest.raises(pandera.errors.SchemaError, match="field_id"):
        schemas.field_profiles.validate(own_table.drop(columns="field_id"))
