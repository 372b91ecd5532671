"""What an index is made from: joined metadata, and vectors of wells."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.index.content import Content, compound_rows, field_rows, well_rows
from invented_index import random_content, screen_tables


def test_fields_have_the_metadata_of_their_compounds():
    tables = screen_tables()
    rows = field_rows(tables["fields"], tables["pairs"], tables["examples"], tables["compounds"]).set_index("field_id")
    aspirin = rows.loc["s/P1/A03/1"]
    assert aspirin[["plate", "well", "site", "compound", "moa", "fold"]].tolist() == [
        *("P1", "A03", 1, "aspirin", "COX inhibitor", "train")
    ]
    assert aspirin["smiles"] == "CC(=O)Oc1ccccc1C(=O)O"
    control = rows.loc["s/P0/A09/1"]
    assert control["control"]
    assert control[["inchikey", "compound", "moa", "fold"]].isna().all()


def test_a_compound_with_fields_in_two_folds_names_both():
    tables = screen_tables()
    key = tables["compounds"]["inchikey"].iloc[0]
    tables["examples"].loc[tables["examples"]["field_id"] == "s/P1/A01/1", "fold"] = "test"
    rows = compound_rows(tables["compounds"], tables["pairs"], tables["examples"]).set_index("inchikey")
    assert rows.loc[key, "fold"] == "train|test"
    assert rows.loc[key, "fields"] == 2


def test_a_compound_without_fields_is_kept():
    tables = screen_tables()
    pairs = tables["pairs"][tables["pairs"]["field_id"].str.contains("A02") == False]  # noqa: E712
    rows = compound_rows(tables["compounds"], pairs, tables["examples"])
    assert rows["fields"].tolist() == [2, 0, 2, 2, 2, 2, 2, 2]


@pytest.mark.parametrize("normalised", [True, False])
def test_the_vector_of_a_well_is_the_mean_over_its_fields(normalised):
    content = random_content(12, 3)
    shuffled = np.random.default_rng(3).permutation(12)
    fields, vectors = content.fields.iloc[shuffled], content.field_vectors[shuffled]
    wells, means = well_rows(fields.reset_index(drop=True), vectors, normalised)
    assert wells["well_id"].is_unique
    for key, mean in zip(wells["well_id"], means, strict=True):
        expected = content.field_vectors[content.fields["field_id"].str.startswith(key + "/")].mean(axis=0)
        expected = expected / np.linalg.norm(expected) if normalised else expected
        np.testing.assert_allclose(mean, expected, rtol=1e-5)


def test_fields_of_a_well_have_the_weights_of_their_logits():
    content = random_content(12, 3)
    logits = np.random.default_rng(4).normal(size=12)
    wells, vectors = well_rows(content.fields, content.field_vectors, True, logits)
    for key, vector in zip(wells["well_id"], vectors, strict=True):
        rows = content.fields["field_id"].str.startswith(key + "/").to_numpy()
        expected = np.exp(logits[rows]) @ content.field_vectors[rows]
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6)
    of_index = replace(content, field_logits=logits).rows()["wells"][1]
    np.testing.assert_array_equal(of_index, vectors)
    plain = content.rows()["wells"][1]
    assert np.abs(plain - vectors).max() > 0.01


def test_vectors_must_fit():
    content = random_content(8, 2)
    with pytest.raises(ValueError, match=r"index: 8 fields do not fit logits of shape \(2,\)"):
        replace(content, field_logits=np.zeros(2))
    with pytest.raises(ValueError, match="index: 8 fields do not fit vectors of shape"):
        Content(content.info, content.fields, content.field_vectors[:3], content.compounds, content.compound_vectors)
    with pytest.raises(ValueError, match="vectors of fields have 16 numbers, those of compounds 3"):
        Content(content.info, content.fields, content.field_vectors, content.compounds, np.zeros((2, 3)))


def test_folds_of_published_tables_can_be_missing():
    tables = screen_tables()
    rows = compound_rows(tables["compounds"], tables["pairs"], tables["examples"].iloc[:0])
    assert rows["fold"].isna().all()
    assert isinstance(rows, pd.DataFrame)
