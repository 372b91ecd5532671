import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.oracles import oracle_spaces
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.retrieval import IMAGE_RETRIEVAL, STRUCTURE_RETRIEVAL

N, REPLICATES = 60, 4
NOISE = np.array([0.5, 4.0, 0.0])


@pytest.fixture(scope="module")
def screen():
    """60 compounds of 6 mechanisms on 4 plates; axis b is mostly noise, axis c is not used; one control."""
    generator = np.random.default_rng(0)
    average = np.column_stack([generator.normal(0, 2, (N, 2)), np.zeros(N)])
    rows = []
    for plate in range(REPLICATES):
        for compound in range(N):
            drawn = average[compound] + NOISE * generator.normal(size=3)
            rows.append(
                (f"P{plate}", f"A{compound:02d}", f"c{compound}", f"m{compound % 6}", *average[compound], *drawn)
            )
        rows.append((f"P{plate}", "P24", None, "control", 0, 0, 0, 50, 50, 50))
    axes = [f"{kind}_{axis}" for kind in ("phenotype", "realised") for axis in "abc"]
    truth = pd.DataFrame(rows, columns=["plate", "well", "compound_id", "mechanism", *axes]).sample(
        frac=1, random_state=1
    )
    keys = pd.DataFrame({"compound_id": [f"c{i}" for i in range(N)], "inchikey": [f"K{i}" for i in range(N)]})
    wells = pd.DataFrame({"plate": [f"P{i % REPLICATES}" for i in range(N)], "well": [f"A{i:02d}" for i in range(N)]})
    return truth, keys, wells, keys["inchikey"].tolist()


def test_phenotype_oracle_ranks_by_distance_in_units_of_noise(screen):
    truth, _, wells, _ = screen
    spaces = oracle_spaces(*screen)["Oracle (phenotype)"]
    treated = truth.dropna(subset="compound_id").set_index(["plate", "well"])
    drawn = treated.loc[list(wells.itertuples(index=False, name=None)), ["realised_a", "realised_b"]].to_numpy()
    average = treated.loc[list(wells.itertuples(index=False, name=None)), ["phenotype_a", "phenotype_b"]].to_numpy()
    noise = np.sqrt([((treated[f"realised_{axis}"] - treated[f"phenotype_{axis}"]) ** 2).mean() for axis in "ab"])
    assert noise == pytest.approx(NOISE[:2], rel=0.15)
    distances = np.linalg.norm((drawn[:, None] - average[None]) / noise, axis=2)
    ranks = {direction: match_ranks(*space, np.arange(N)) for direction, space in spaces.items()}
    own = np.diag(distances)
    np.testing.assert_array_equal(ranks[STRUCTURE_RETRIEVAL], (distances <= own[:, None]).sum(axis=1))
    np.testing.assert_array_equal(ranks[IMAGE_RETRIEVAL], (distances <= own[None]).sum(axis=0))
    assert (ranks[STRUCTURE_RETRIEVAL] <= 5).mean() > 0.4  # chance 0.08


def test_a_merged_compound_keeps_the_mechanism_of_its_well(screen):
    truth, keys, wells, inchikeys = screen
    # c1 alone has the mechanism "rare", and is the same structure as c0.
    truth = truth.assign(mechanism=truth["mechanism"].where(truth["compound_id"] != "c1", "rare"))
    keys = keys.assign(inchikey=keys["inchikey"].where(keys["compound_id"] != "c1", "K0"))
    keep = [i for i in range(N) if i != 0]
    wells, inchikeys = wells.iloc[keep], ["K0", *inchikeys[2:]]
    first = truth.merge(keys, on="compound_id").query("inchikey == 'K0'")["mechanism"].iloc[0]
    of_wells, of_compounds = oracle_spaces(truth, keys, wells, inchikeys)["Oracle (mechanism)"][STRUCTURE_RETRIEVAL]
    assert of_wells[0] @ of_compounds[0] == (first == "rare")
    assert not (of_wells[0] @ of_compounds[1:].T).any()  # nobody else has it


def test_mechanism_oracle_ties_within_a_mechanism(screen):
    for space in oracle_spaces(*screen)["Oracle (mechanism)"].values():
        best, worst, drawn = (
            match_ranks(*space, np.arange(N), ties) for ties in ("optimistic", "pessimistic", "random")
        )
        assert (best == 1).all()
        assert (worst == N // 6).all()
        assert set(drawn) == set(range(1, N // 6 + 1))


def test_what_is_missing_is_named(screen):
    truth, keys, wells, inchikeys = screen
    with pytest.raises(ValueError, match="no row for plate P9, well A01"):
        oracle_spaces(truth, keys, wells.replace({"plate": {"P1": "P9"}}), inchikeys)
    with pytest.raises(ValueError, match="no well of 1 compounds, the first is NEW"):
        oracle_spaces(truth, keys, wells, [*inchikeys[:-1], "NEW"])


def test_merged_compounds_share_their_average(screen):
    truth, keys, wells, inchikeys = screen
    merged = keys.assign(inchikey=["K0", "K0", *keys["inchikey"][2:]])
    _, candidates = oracle_spaces(truth, merged, wells, ["K0", *inchikeys[2:], "K0"])["Oracle (phenotype)"][
        STRUCTURE_RETRIEVAL
    ]
    np.testing.assert_array_equal(candidates[0], candidates[-1])
