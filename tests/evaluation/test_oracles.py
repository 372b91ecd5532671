import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.oracles import oracle_vectors
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.retrieval import Draws, rank_method
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, ORACLE_MECHANISM, ORACLE_PHENOTYPE

N, REPLICATES = 60, 4
NOISE = np.array([0.5, 4.0, 0.0])


@pytest.fixture(scope="module")
def screen():
    """60 compounds of 6 mechanisms on 4 plates; axis b is mostly noise, axis c is not used.

    The truth also holds a control and a compound without a field, whose wells have more noise than all others.
    """
    generator = np.random.default_rng(0)
    average = np.column_stack([generator.normal(0, 2, (N, 2)), np.zeros(N)])
    rows = []
    for plate in range(REPLICATES):
        for compound in range(N):
            drawn = average[compound] + NOISE * generator.normal(size=3)
            rows.append((f"P{plate}", f"A{compound:02d}", f"m{compound % 6}", *average[compound], *drawn))
        rows.append((f"P{plate}", "P24", "control", 0, 0, 0, 50, 50, 50))
        rows.append((f"P{plate}", "P23", "unseen", 0, 0, 0, 50, 50, 50))
    axes = [f"{kind}_{axis}" for kind in ("phenotype", "realised") for axis in "abc"]
    truth = pd.DataFrame(rows, columns=["plate", "well", "mechanism", *axes]).sample(frac=1, random_state=1)
    fields = [
        {"field_id": f"s/P{plate}/A{compound:02d}/{site}", "plate": f"P{plate}", "well": f"A{compound:02d}"}
        | {"inchikey": f"K{compound:02d}", "split": "random"}
        for compound in range(N)
        for plate in range(REPLICATES)
        for site in range(2 if compound == 7 else 1)
    ]
    return truth, pd.DataFrame(fields)


def oracle(screen, name, ties="random"):
    """The oracle as a method."""
    truth, examples = screen
    of_fields, of_compounds = oracle_vectors(truth, examples)[name]
    fields = Embeddings(examples["field_id"].to_numpy(), of_fields)
    return Method(fields, Embeddings(*of_compounds), ties=ties, normalised=False)


def squared_distances(screen):
    """(fields, compounds): between what was drawn in a field's well and a compound's average, in units of noise."""
    truth, examples = screen
    wells = truth.set_index(["plate", "well"])
    of_fields = wells.loc[list(examples[["plate", "well"]].itertuples(index=False, name=None))]
    drawn, average = (of_fields[[f"{kind}_a", f"{kind}_b"]].to_numpy() for kind in ("realised", "phenotype"))
    each_well = ~examples.duplicated(["plate", "well"]).to_numpy()
    noise = np.sqrt(np.square(drawn - average)[each_well].mean(axis=0))
    assert noise == pytest.approx(NOISE[:2], rel=0.15)
    by_compound = average[~examples["inchikey"].duplicated().to_numpy()]
    return np.square((drawn[:, None] - by_compound) / noise).sum(axis=2)


def test_dot_products_are_minus_half_the_squared_distances(screen):
    method = oracle(screen, ORACLE_PHENOTYPE)
    scores = method.fields.vectors @ method.compounds.vectors.T
    np.testing.assert_allclose(scores, -squared_distances(screen) / 2, atol=1e-9)


def test_phenotype_oracle_ranks_by_distance_in_units_of_noise(screen):
    _, examples = screen
    ranks = rank_method(oracle(screen, ORACLE_PHENOTYPE), examples, Draws(20, 2, 0))
    ranks = ranks.query("shown_by == 'field' and pool == 'full'")
    distances = squared_distances(screen)
    assert set(ranks["draw"]) == {0, 1}
    for _, of_draw in ranks.groupby("draw"):
        by_direction = dict(iter(of_draw.groupby("direction")))
        by_image, by_compound = by_direction[IMAGE_TO_COMPOUND], by_direction[COMPOUND_TO_IMAGE]
        drawn = distances[pd.Index(examples["field_id"]).get_indexer(by_image["query"])]
        matches = np.diag(drawn)
        np.testing.assert_array_equal(by_image["rank"], (drawn <= matches[:, None]).sum(axis=1))
        np.testing.assert_array_equal(by_compound["rank"], (drawn <= matches).sum(axis=0))
        assert (by_image["rank"] <= 5).mean() > 0.4  # chance 0.08


def test_a_compound_shown_by_its_mean_is_ranked_by_the_mean_squared_distance(screen):
    _, examples = screen
    ranks = rank_method(oracle(screen, ORACLE_PHENOTYPE), examples, Draws(20, 2, 0))
    ranks = ranks.query("shown_by == 'mean' and pool == 'full'").groupby("direction")["rank"]
    means = pd.DataFrame(squared_distances(screen)).groupby(examples["inchikey"].to_numpy()).mean().to_numpy()
    matches = np.diag(means)
    np.testing.assert_array_equal(ranks.get_group(IMAGE_TO_COMPOUND), (means <= matches[:, None]).sum(axis=1))
    np.testing.assert_array_equal(ranks.get_group(COMPOUND_TO_IMAGE), (means <= matches).sum(axis=0))


def merge(screen, mechanism):
    """The screen in which K01 is the same structure as K00 and has a mechanism of its own."""
    truth, examples = screen
    of_other = truth["well"] == "A01"
    merged = examples.assign(inchikey=examples["inchikey"].replace("K01", "K00"))
    return truth.assign(mechanism=truth["mechanism"].where(~of_other, mechanism)), merged


def test_a_merged_compound_keeps_the_mechanism_of_its_well(screen):
    truth, examples = merge(screen, "rare")
    # The compound has the mechanism of its first field, every field that of its own well.
    for order, of_compound in ((examples, "m0"), (examples[::-1], "rare")):
        of_fields, (keys, of_compounds) = oracle_vectors(truth, order)[ORACLE_MECHANISM]
        merged_compound = of_compounds[keys == "K00"][0]
        rare = (order["well"] == "A01").to_numpy()
        assert set(of_fields[rare] @ merged_compound) == {float(of_compound == "rare")}
        assert set(of_fields[(order["well"] == "A00").to_numpy()] @ merged_compound) == {float(of_compound == "m0")}
        assert not (of_fields[rare] @ of_compounds[keys != "K00"].T).any(), "no other compound has it"


def test_merged_compounds_share_their_average(screen):
    truth, examples = merge(screen, "m1")
    _, (keys, vectors) = oracle_vectors(truth, examples)[ORACLE_PHENOTYPE]
    assert keys.tolist() == sorted(examples["inchikey"].unique())
    treated = truth[truth["mechanism"].str.startswith("m")]
    noise = [np.sqrt(np.square(treated[f"realised_{axis}"] - treated[f"phenotype_{axis}"]).mean()) for axis in "ab"]
    both = treated.loc[treated["well"].isin(["A00", "A01"]), ["phenotype_a", "phenotype_b"]]
    assert both.nunique().tolist() == [2, 2], "what was planted differs"
    np.testing.assert_allclose(vectors[0, :2], both.mean() / noise)


def test_mechanism_oracle_ties_within_a_mechanism(screen):
    _, examples = screen
    first = examples[~examples["inchikey"].duplicated()]
    method = oracle(screen, ORACLE_MECHANISM)
    fields, compounds = method.fields.of(first["field_id"]), method.compounds.of(first["inchikey"])
    for space in ((fields, compounds), (compounds, fields)):
        best, worst, drawn = (
            match_ranks(*space, np.arange(N), ties) for ties in ("optimistic", "pessimistic", "random")
        )
        assert (best == 1).all()
        assert (worst == N // 6).all()
        assert set(drawn) == set(range(1, N // 6 + 1))


def test_vectors_follow_the_order_of_the_examples(screen):
    truth, examples = screen
    order = np.random.default_rng(0).permutation(len(examples))
    as_given, mixed = oracle_vectors(truth, examples), oracle_vectors(truth, examples.iloc[order])
    for name in (ORACLE_PHENOTYPE, ORACLE_MECHANISM):
        keys, vectors = as_given[name][1]
        again, of_mixed = mixed[name][1]
        np.testing.assert_array_equal(keys, again)
        scores, of_mixed = as_given[name][0] @ vectors.T, mixed[name][0] @ of_mixed.T
        np.testing.assert_allclose(of_mixed, scores[order], atol=1e-9)


def test_a_well_that_is_missing_is_named(screen):
    truth, examples = screen
    with pytest.raises(ValueError, match="no row for plate P9, well A00"):
        oracle_vectors(truth, examples.replace({"plate": {"P1": "P9"}}))
