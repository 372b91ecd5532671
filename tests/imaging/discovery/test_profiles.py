"""Tables of profiles are found, and looked at as they will be read."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.imaging.discovery.profiles import group_profiles, look_at_profiles
from cloome_kedro.imaging.discovery.tables import find_tables


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_an_encoding_is_recognised(tmp_path, encoding):
    values = np.random.default_rng(0).normal(5, 2, size=(3, 60))
    table = pd.DataFrame(values, columns=[f"Cells_{i}" for i in range(60)])
    table.insert(0, "Metadata_Plate", "P1")
    table.insert(1, "Metadata_Well", ["A01", "A02", "A03"])
    table.insert(2, "Metadata_pert_iname", ["TNF-ß", "crème", "DMSO"])
    table.insert(3, "Metadata_SMILES", ["CCO", "CCN", "CS(C)=O"])
    table.to_csv(tmp_path / "profiles.csv", index=False, sep=";", encoding=encoding)
    tables = find_tables([tmp_path])
    found = look_at_profiles(group_profiles(tmp_path, tables)[0], {}, None, tables)
    assert (found.rows, found.plates, found.features) == (3, 1, 60)
    assert found.structures == ["CCN", "CCO"]
