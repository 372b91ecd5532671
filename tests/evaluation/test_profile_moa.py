import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.profile_moa import protocols_of_profiles, rank_mechanisms
from cloome_kedro.evaluation.zero_shot_protocols import Protocol

NO_COUNTS = pd.DataFrame({"field_id": [], "nuclei": []})


def screen(plates=("P", "Q"), moas=8, single=2, replicates=2):
    """Two compounds a mechanism, one for the first ``single`` of them; every plate has one layout."""
    compounds = [(moa, compound) for moa in range(moas) for compound in range(1 if moa < single else 2)]
    layout = np.random.default_rng(0).permutation([pair for pair in compounds for _ in range(replicates)])
    rows = [
        {"plate": plate, "well": f"{chr(65 + i % 16)}{1 + i // 16:02d}", "label": f"moa {moa}", "moa": moa}
        | {"compound": compound, "inchikey": f"{chr(65 + moa)}{chr(65 + compound)}{'A' * 12}-AAAAAAAAAA-N"}
        for plate in plates
        for i, (moa, compound) in enumerate(layout)
    ]
    wells = pd.DataFrame(rows)
    return wells.assign(field_id=wells["plate"] + "/" + wells["well"])


def one_hot(codes):
    return np.eye(codes.max() + 1)[codes]


def top1(ranks, method="Profiles", by="field"):
    """By what is excluded."""
    chosen = ranks[(ranks["method"] == method) & (ranks["shown_by"] == by)]
    return chosen.assign(hit=chosen["rank"] == 1).groupby("excluded")["hit"].mean().to_dict()


NAMES = ["none", "plate", "plate+compound where possible", "plate+compound"]


def test_protocols_name_themselves():
    assert [protocol.setting["excluded"] for protocol in protocols_of_profiles(["mean"])] == NAMES
    alone = Protocol(("compound",), where_possible=("compound",))
    assert alone.setting["excluded"] == "compound where possible"


def test_profiles_of_the_mechanism_find_it_everywhere():
    wells = screen()
    ranks = rank_mechanisms(wells, one_hot(wells["moa"].to_numpy()), NO_COUNTS, draws=3)
    for by in ("field", "mean"):
        assert top1(ranks, by=by) == dict.fromkeys(NAMES, 1)
    assert set(ranks["draw"]) == {0, 1, 2}
    assert set(ranks.loc[ranks["shown_by"] == "mean", "draw"]) == {0}
    assert set(ranks["method"]) == {"Profiles", "Plate only", "Well position only"}
    assert (ranks["candidates"] <= 8).all()


def test_profiles_of_the_compound_find_it_only_where_the_compound_may_answer():
    """Ties count against the match, so that the mechanism of another compound is never found."""
    wells = screen()
    profiles = one_hot(pd.factorize(wells["inchikey"])[0])
    ranks = rank_mechanisms(wells, profiles, NO_COUNTS, ["mean"])
    found = top1(ranks, by="mean")
    assert found["none"] == found["plate"] == 1
    # the two mechanisms of one compound keep it: 2 of 14 compounds
    assert found["plate+compound where possible"] == pytest.approx(2 / 14)
    assert found["plate+compound"] == 0
    n = ranks[ranks["method"] == "Profiles"].groupby("excluded").size()
    assert n.to_dict() == dict(zip(NAMES, [56, 56, 56, 48], strict=True))


def test_equal_layouts_give_mechanisms_away_by_position_until_compounds_are_excluded():
    wells = screen(moas=16, single=0, replicates=1)
    noise = np.random.default_rng(0).normal(size=(len(wells), 5))
    found = top1(rank_mechanisms(wells, noise, NO_COUNTS, ["field"], draws=4), "Well position only")
    assert found["plate"] > 0.4
    assert found["plate+compound"] < 0.25


def test_counts_rank_where_there_are_some():
    wells = screen()
    counts = pd.DataFrame({"field_id": wells["field_id"], "nuclei": 1 + wells["moa"] * 10.0})
    ranks = rank_mechanisms(wells, np.ones((len(wells), 1)), counts, ["field"], draws=1)
    assert top1(ranks, "Cell count only")["plate+compound"] == 1
    assert top1(ranks)["plate+compound"] == 0  # equal profiles


def test_the_same_seed_gives_the_same_ranks():
    wells = screen()
    profiles = np.random.default_rng(0).normal(size=(len(wells), 4))
    first, again, other = (rank_mechanisms(wells, profiles, NO_COUNTS, draws=2, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def test_one_plate_has_rows_without_exclusion_only(caplog):
    wells = screen(plates=("P",))
    with caplog.at_level("INFO"):
        ranks = rank_mechanisms(wells, one_hot(wells["moa"].to_numpy()), NO_COUNTS)
    assert set(ranks["excluded"]) == {"none"}
    assert "excluded plate: no query has a reference" in caplog.text
    alone = wells.drop_duplicates("label")
    with pytest.raises(ValueError, match="profiles of more plates are needed"):
        rank_mechanisms(alone, np.ones((len(alone), 2)), NO_COUNTS)
