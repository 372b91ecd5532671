import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.seeds import spread_over_seeds
from cloome_kedro.evaluation.summary import Summary, summarise_ranks

KEY = "AAAAAAAAAAAA{}{}-AAAAAAAAAA-N"


def ranks(seed, split="random", methods=("CLOOME", "Untrained")):
    """Ranks of 20 compounds in three draws, among 30 candidates."""
    rng = np.random.default_rng([seed, len(split)])
    setting = {"split": split, "task": "zero-shot MoA", "images": "clean", "direction": None, "pool": "full"}
    rows = [
        {**setting, "method": method, "shown_by": "field", "excluded": "none", "draw": draw, "candidates": 30}
        | {"query": str(i), "match": "m", "compound": KEY.format("AB"[i // 26], chr(65 + i % 26))}
        | {"rank": rng.integers(1, 4 if method == "CLOOME" else 31)}
        for method in methods
        for draw in range(3)
        for i in range(20)
    ]
    return schemas.ranks.validate(pd.DataFrame(rows))


def metrics(seed, split="random", split_hash="h"):
    return summarise_ranks(ranks(seed, split), Summary((1, 5))).assign(seed=seed, split_hash=split_hash)


def test_mean_and_spread_of_every_metric():
    tables = [metrics(seed, split) for split in ("random", "scaffold") for seed in (2, 0, 1)]
    gathered = schemas.seeds_metrics.validate(spread_over_seeds(pd.concat(tables, ignore_index=True)))
    assert set(gathered["method"]) == {"CLOOME", "Untrained"}
    assert set(gathered["seeds"]) == {"0, 1, 2"}
    assert len(gathered) == len(tables[0][tables[0]["method"] != "Random"]) * 2
    chosen = "split == 'scaffold' and method == 'CLOOME' and metric == 'top-1' and draws == 3"
    values = [table.query(chosen)["value"].item() for table in tables[3:]]
    row = gathered.query(chosen).iloc[0]
    assert row["value"] == pytest.approx(np.mean(values))
    assert row["spread"] == pytest.approx(np.std(values, ddof=1))
    assert (row["lowest"], row["highest"], row["n_seeds"]) == (min(values), max(values), 3)
    assert row["chance"] == pytest.approx(1 / 30)


def test_a_single_seed_has_no_spread():
    gathered = spread_over_seeds(metrics(4))
    assert gathered["spread"].isna().all()
    assert set(gathered["seeds"]) == {"4"}


def test_rows_that_differ_in_their_images_alone_are_kept_apart():
    both = pd.concat([metrics(0), metrics(0).assign(images="gaussian_blur")])
    gathered = spread_over_seeds(both)
    assert len(gathered) == 2 * len(spread_over_seeds(metrics(0)))
    assert (gathered["n_seeds"] == 1).all()


def test_rows_given_twice_and_seeds_of_other_folds_are_refused():
    with pytest.raises(ValueError, match=r"two rows of .*'seed': 1"):
        spread_over_seeds(pd.concat([metrics(1), metrics(1)]))
    with pytest.raises(ValueError, match=r"split random: .*\(seed 0: h, seed 1: other\)"):
        spread_over_seeds(pd.concat([metrics(0), metrics(1, split_hash="other"), metrics(0, split="scaffold")]))
