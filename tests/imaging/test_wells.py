from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.imaging.wells import canonical_wells, parse_wells, well_name


@pytest.mark.parametrize(
    ("row", "column", "name"), [(1, 1, "A01"), (4, 8, "D08"), (26, 48, "Z48"), (27, 1, "AA01"), (32, 48, "AF48")]
)
def test_well_name(row, column, name):
    assert well_name(row, column) == name


@given(st.integers(1, 32), st.integers(1, 48), st.booleans(), st.integers(0, 2))
def test_every_way_to_write_a_well_is_one_well(row, column, lower, zeros):
    name = well_name(row, column)
    written = name.rstrip("0123456789") + "0" * zeros + str(column)
    written = f" {written.lower() if lower else written} "
    assert canonical_wells(pd.Series([written]), Path("x.csv")).tolist() == [name]


@pytest.mark.parametrize("written", ["D8", "d08", " D008 ", "D-08", "D_8", "D:08", "D 8", "r04c08", "R4C8", "r4-c8"])
def test_ways_to_write_a_well(written):
    assert parse_wells(pd.Series(["P24", written], index=[5, 7])).to_dict() == {5: "P24", 7: "D08"}


@pytest.mark.parametrize("bad", ["", "8D", "A00", "A1B", "AAA1", "A100", "r0c1", "D--8", "4-8", None, "Total: 2"])
def test_an_entry_that_is_not_a_well_is_null(bad):
    assert parse_wells(pd.Series(["A1", bad], dtype=object)).fillna("null").tolist() == ["A01", "null"]


@pytest.mark.parametrize("bad", ["", "8D", "A00", "A1B", "AAA1", "A100"])
def test_an_entry_that_is_not_a_well_is_named(bad):
    wells = pd.Series(["A01", bad], name="well_position")
    with pytest.raises(ValueError, match=rf"map.tsv, line 3: well_position '{bad}' is not a well"):
        canonical_wells(wells, Path("map.tsv"))
