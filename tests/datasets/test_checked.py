"""Tables that are checked once: when they are saved, and again only if another process has written the file."""

import os

import pandas as pd
import pandera.errors
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.validation.exceptions import DataValidationError

from cloome_kedro import schemas
from cloome_kedro.datasets.checked import Catalog

SCHEMA = "cloome_kedro.schemas.cell_counts"
TABLE = pd.DataFrame({"field_id": ["a", "b"], "nuclei": [1.0, 2.5]})
KINDS = ("Table", "OptionalTable")


@pytest.fixture(params=KINDS)
def catalog(request, tmp_path):
    entry = {"type": f"cloome_kedro.datasets.tables.{request.param}", "filepath": str(tmp_path / "counts.parquet")}
    entry["schema" if request.param == "OptionalTable" else "validator"] = SCHEMA
    return Catalog.from_config({"counts": entry})


@pytest.fixture
def checks(monkeypatch):
    """Tables that are checked, in order."""
    found, check = [], type(schemas.cell_counts).validate

    def validate(self, table, *arguments, **options):
        found.append(table)
        return check(self, table, *arguments, **options)

    monkeypatch.setattr(type(schemas.cell_counts), "validate", validate)
    return found


def write(tmp_path, nuclei):
    """Replace the file as another process would."""
    TABLE.assign(nuclei=nuclei).to_parquet(tmp_path / "counts.parquet")


def test_what_was_saved_is_not_checked_again(catalog, checks):
    catalog.save("counts", TABLE.assign(nuclei=[1, 2]))
    assert len(checks) == 1
    for _ in range(2):
        assert catalog.load("counts").dtypes.equals(TABLE.dtypes), "numbers are of the schema's type"
    assert len(checks) == 1


def test_a_file_of_another_process_is_checked(catalog, checks, tmp_path):
    catalog.save("counts", TABLE)
    write(tmp_path, [3.0, 4.0])
    assert catalog.load("counts")["nuclei"].tolist() == [3, 4]
    assert len(checks) == 2
    write(tmp_path, [-1.0, 4.0])
    with pytest.raises((DataValidationError, DatasetError, pandera.errors.SchemaError), match="nuclei"):
        catalog.load("counts")


def test_the_same_size_at_another_time_is_another_file(catalog, checks, tmp_path):
    catalog.save("counts", TABLE)
    os.utime(tmp_path / "counts.parquet", ns=(1, 1))
    catalog.load("counts")
    assert len(checks) == 2


def test_a_file_that_was_there_is_checked(catalog, checks, tmp_path):
    write(tmp_path, [-1.0, 2.0])
    with pytest.raises((DataValidationError, DatasetError, pandera.errors.SchemaError), match="nuclei"):
        catalog.load("counts")


def test_a_save_that_fails_leaves_the_check(catalog, checks, tmp_path):
    catalog.save("counts", TABLE)
    with pytest.raises((DataValidationError, DatasetError, pandera.errors.SchemaError), match="nuclei"):
        catalog.save("counts", TABLE.assign(nuclei=-1.0))
    write(tmp_path, [-1.0, 2.0])
    with pytest.raises((DataValidationError, DatasetError, pandera.errors.SchemaError), match="nuclei"):
        catalog.load("counts")


def test_types_that_a_file_does_not_keep_are_given_back(tmp_path):
    """CSV does not tell numbers from text: such a table is checked each time."""
    types = {"type": "cloome_kedro.datasets.tables.CsvTable", "filepath": str(tmp_path / "folds.csv")}
    entry = types | {"save_args": {"index": False}, "validator": "cloome_kedro.schemas.provided_folds"}
    table = pd.DataFrame({"plate": ["007"], "well": ["A01"], "fold": ["train"]})
    for kind in (Catalog, DataCatalog):
        catalog = kind.from_config({"folds": entry})
        catalog.save("folds", table)
        assert catalog.load("folds")["plate"].tolist() == ["7"]


def test_a_project_has_this_catalog():
    from cloome_kedro import settings

    assert settings.DATA_CATALOG_CLASS is Catalog
