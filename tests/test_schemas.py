"""Tables of the catalog: which ones may stand for field_profiles, empty ones, and what is refused."""

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


def test_what_cannot_be_a_profile_is_refused(own_table):
    with pytest.raises(pandera.errors.SchemaError, match=r"Cells_Name.* must be numeric"):
        schemas.field_profiles.validate(own_table.assign(Cells_Name="round"))
    with pytest.raises(pandera.errors.SchemaError, match="field_id"):
        schemas.field_profiles.validate(pd.concat([own_table, own_table], ignore_index=True))
    with pytest.raises(pandera.errors.SchemaError, match="field_id"):
        schemas.field_profiles.validate(own_table.drop(columns="field_id"))


# ---- empty tables

NAMES = [name for name in schemas.__all__ if name != "empty"]
#: tables that need a column whose name is not fixed: compounds by one of two names, a feature, a top-k accuracy
OPEN = ("assay_labels", "profile_wells", "comparison_hits")


@pytest.mark.parametrize("name", NAMES)
def test_a_table_without_rows_has_the_required_columns_and_their_types(name):
    schema = getattr(schemas, name)
    table = schemas.empty(schema)
    assert len(table) == 0
    assert list(table) == [key for key, column in schema.columns.items() if column.required and not column.regex]
    if name not in OPEN:
        pd.testing.assert_frame_equal(schema.validate(table), table)
    for key in table:
        assert table[key].dtype == schema.columns[key].dtype.type


# ---- examples and labels

KEYS = [f"{letter * 14}-UHFFFAOYSA-N" for letter in "AB"]


@pytest.fixture
def examples():
    return pd.DataFrame(
        {
            "field_id": ["s/P/A01/1", "s/P/B01/1"],
            "screen": "s",
            "plate": "P",
            "well": ["A01", "B01"],
            "site": 1,
            "plate_file": "P",
            "row": [0, 1],
            "inchikey": KEYS,
            "structure_row": [1, 0],
            "treatment": [f"{key}@5" for key in KEYS],
            "moa": ["some inhibitor", None],
            "fold": ["train", "test"],
            "split": "random",
            "split_hash": "0123",
        }
    )


def test_examples_say_all_of_a_field(examples):
    pd.testing.assert_frame_equal(schemas.examples.validate(examples), examples, check_dtype=False)


@pytest.mark.parametrize(
    "change",
    [
        {"fold": "holdout"},
        {"well": "A1"},
        {"inchikey": "ethanol"},
        {"structure_row": -1},
        {"field_id": "s/P/A01/1"},
        {"colour": "red"},
        {"split_hash": None},
    ],
)
def test_examples_with_a_wrong_value_are_refused(examples, change):
    with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors), match=next(iter(change))):
        schemas.examples.validate(examples.assign(**change))


def test_labels_are_1_0_or_missing_for_assays_of_any_name():
    labels = pd.DataFrame({"inchikey": KEYS, "600885": [1.0, np.nan], "an assay": [0.0, 1.0]})
    pd.testing.assert_frame_equal(schemas.labels.validate(labels), labels)
    for change in ({"an assay": 0.5}, {"inchikey": KEYS[0]}):
        with pytest.raises((pandera.errors.SchemaError, pandera.errors.SchemaErrors), match=next(iter(change))):
            schemas.labels.validate(labels.assign(**change))


@pytest.mark.parametrize("columns", [{}, {"compound_id": ["a"], "inchikey": [KEYS[0]]}])
def test_assay_labels_name_compounds_in_one_way(columns):
    with pytest.raises(
        pandera.errors.SchemaError, match="either the column compound_id or the column inchikey, not both"
    ):
        schemas.assay_labels.validate(pd.DataFrame({"assay": [1.0], **columns}))
    for name, value in {"compound_id": "a", "inchikey": KEYS[0]}.items():
        schemas.assay_labels.validate(pd.DataFrame({"assay": [1.0], name: [value]}))


def test_folds_and_tasks_are_the_words_of_the_project():
    """A table and the code that reads it cannot disagree."""
    from cloome_kedro import words

    for schema in (schemas.folds, schemas.examples):
        (check,) = schema.columns["fold"].checks
        assert set(check.statistics["allowed_values"]) == set(words.FOLDS)
    for schema in (schemas.ranks, schemas.metrics, schemas.differences, schemas.seeds_metrics):
        (tasks,), (directions,) = schema.columns["task"].checks, schema.columns["direction"].checks
        assert set(tasks.statistics["allowed_values"]) == set(words.TASKS)
        assert set(directions.statistics["allowed_values"]) == {words.IMAGE_TO_COMPOUND, words.COMPOUND_TO_IMAGE}
