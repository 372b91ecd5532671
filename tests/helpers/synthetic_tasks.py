"""What zero-shot classification, probing, corruptions and the leak check find in the invented study."""

from itertools import product

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
from cloome_kedro.words import (
    CELL_COUNT_ONLY,
    FOLDS,
    PLATE_ONLY,
    PROFILES,
    UNTRAINED,
    ZERO_SHOT_COMPOUND,
    ZERO_SHOT_MOA,
)

CORRUPTIONS = ("random_flip", "small_rotation", "random_flip_small_rotation", "large_rotation", "gaussian_blur")
CHOSEN = "random_flip_small_rotation"  # of zero-shot classification and probing
#: how well methods beside the first model do
SKILLS = {PROFILES: 2.0, UNTRAINED: 1.2, PLATE_ONLY: 0.3, CELL_COUNT_ONLY: 0.2}


def make_tasks(examples, retrieval_ranks, seed=0, sees_images=True):
    """Results for the test fields of a study that ``synthetic_study.make_study`` makes.

    Parameters
    ----------
    examples
        Table of that name.
    retrieval_ranks
        Table of that name, of the first model alone.
    seed
        Of what is drawn.
    sees_images
        Whether the first model is asked about corrupted images.

    Returns
    -------
    tables (dataset name -> table), metrics (list of tables), differences (list of tables)
    """
    generator = np.random.default_rng(seed)
    split, folds_hash = examples["split"].iloc[0], examples["split_hash"].iloc[0]
    model = retrieval_ranks["method"].iloc[0]
    skills = {model: 3.0} | SKILLS
    queries = examples[examples["fold"] == "test"]
    zero_shot = _zero_shot(queries, skills, generator)
    published = zero_shot[(zero_shot["excluded"] == "none") & (zero_shot["pool"] == "full")]
    of_model = published[published["method"] == model]
    stricter = [group for key, group in zero_shot.groupby(["pool", "excluded"]) if key != ("full", "none")]
    differences = [compare_ranks(ranks, published, "excluded none", Summary()) for ranks in stricter]
    differences += [
        compare_ranks(of_model, published[published["method"] == method], f"method {method}", Summary())
        for method in SKILLS
    ]
    clean = _scores(split, skills, generator).assign(split_hash=folds_hash)
    tables = {
        "zero_shot_ranks": schemas.ranks.validate(zero_shot[zero_shot["draw"] == 0]),
        "probing_scores": schemas.probing_scores.validate(clean),
        "leaks": _leaks(folds_hash),
    }
    metrics = [summarise_ranks(zero_shot, Summary()), _probing_metrics(clean)]
    differences.append(_probing_differences(clean, model))
    if sees_images:
        single = retrieval_ranks[(retrieval_ranks["shown_by"] == "field") & (retrieval_ranks["draw"] == 0)]
        corrupted = pd.concat(
            [*(_worse(single, name, generator) for name in CORRUPTIONS), _worse(of_model, CHOSEN, generator)]
        )
        changed = _scores(split, {model: 2.5}, generator, CHOSEN).assign(split_hash=folds_hash)
        tables["corruption_ranks"] = schemas.ranks.validate(corrupted[corrupted["draw"] == 0])
        tables["corrupted_fields"] = _corrupted_fields(queries, generator)
        tables["corrupted_probing_scores"] = schemas.probing_scores.validate(changed)
        metrics += [summarise_ranks(corrupted, Summary()), _probing_metrics(changed)]
        differences.append(compare_ranks(corrupted, pd.concat([single, of_model]), "clean", Summary()))
    return tables, metrics, differences


def _zero_shot(queries, skills, generator):
    """Ranks of three draws by every protocol; nine mechanisms are made up, and some compounds have none."""
    compounds = queries["inchikey"].drop_duplicates()
    mechanisms = pd.Series([f"mechanism {i % 9}" if i % 10 else None for i in range(len(compounds))], index=compounds)
    parts = []
    for task, matches in (
        (ZERO_SHOT_COMPOUND, queries["inchikey"]),
        (ZERO_SHOT_MOA, queries["inchikey"].map(mechanisms)),
    ):
        known, classes = matches.notna(), matches.nunique()
        protocols = [("full", "none"), ("full", "well"), ("full", "plate"), ("same plate", "well")]
        if task == ZERO_SHOT_MOA:
            protocols += [("full", "compound"), ("full", "plate+compound")]
        for (pool, excluded), (method, skill), draw in product(protocols, skills.items(), range(3)):
            chances = generator.random(known.sum()) ** (1 if excluded != "none" else skill)
            parts.append(
                pd.DataFrame(
                    {
                        **{"split": queries["split"].iloc[0], "task": task, "method": method, "images": "clean"},
                        **{"direction": None, "pool": pool, "shown_by": "field", "excluded": excluded, "draw": draw},
                        "candidates": classes,
                        "query": queries.loc[known, "field_id"],
                        "match": matches[known],
                        "compound": queries.loc[known, "inchikey"],
                        "rank": 1 + (chances * classes).astype(int),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _worse(ranks, images, generator):
    rank = np.minimum(ranks["rank"] + generator.integers(0, 3, len(ranks)), ranks["candidates"])
    return ranks.assign(images=images, rank=rank)


def _scores(split, skills, generator, images="clean"):
    """Scores of 12 assays, of which the last cannot be scored."""
    rows = []
    for method, skill in skills.items():
        for assay in range(12):
            scored = assay != 11
            drawn = np.clip(0.5 + 0.12 * skill + generator.normal(scale=0.06, size=4), 0, 1)
            scores = dict(zip(("auc", "f1", "average_precision", "mcc"), drawn, strict=True))
            rows.append(
                {
                    **{"split": split, "method": method, "images": images, "shown_by": "mean"},
                    **{"assay": f"assay_{assay}", "scored": scored},
                    "reason": None if scored else "no inactive compound in the fold test",
                    **{"c": 0.1 if scored else None, "validation_auc": 0.7 if scored else None},
                    **{name: value if scored else None for name, value in scores.items()},
                    **{f"{fold}_{kind}": 5 for fold in FOLDS for kind in ("actives", "inactives")},
                }
            )
    return pd.DataFrame(rows)


_PROBING = {"task": "probing", "direction": None, "pool": None, "shown_by": "mean", "excluded": None}


def _probing_metrics(scores):
    names = {"AUC": "auc", "F1": "f1", "average precision": "average_precision", "MCC": "mcc"}
    rows = []
    for (split, method, images), group in scores[scores["scored"]].groupby(["split", "method", "images"]):
        values = {f"mean {name}": group[column].mean() for name, column in names.items()}
        values |= {f"SD {name}": group[column].std() for name, column in names.items()}
        values |= {f"AUC > {level:g}": float((group["auc"] > level).sum()) for level in (0.9, 0.8, 0.7)}
        for metric, value in values.items():
            sure = metric == "mean AUC"
            rows.append(
                {
                    **_PROBING,
                    **{"split": split, "method": method, "images": images, "draws": 1, "candidates": np.nan},
                    **{"metric": metric, "value": value, "interval": "bootstrap" if sure else "none"},
                    **{"low": value - 0.05 if sure else np.nan, "high": value + 0.05 if sure else np.nan},
                    **{"n": len(group), "compounds": 28, "successes": None, "spread": np.nan},
                    "chance": 0.5 if sure else np.nan,
                }
            )
    chance = next(row for row in rows if row["metric"] == "mean AUC")
    rows.append({**chance, "method": "Random", "value": 0.5, "low": np.nan, "high": np.nan, "interval": "none"})
    return pd.DataFrame(rows).astype({"successes": "Int64"})


def _probing_differences(scores, model):
    mean = scores[scores["scored"]].groupby("method")["auc"].mean()
    gaps = {method: mean[model] - value for method, value in mean.items() if method != model}
    rows = [
        {
            **_PROBING,
            **{"split": scores["split"].iloc[0], "method": model, "images": "clean"},
            **{"against": f"method {method}", "metric": "mean AUC", "difference": gap},
            **{"low": gap - 0.03, "high": gap + 0.03, "n": 11, "compounds": 28},
        }
        for method, gap in gaps.items()
    ]
    return pd.DataFrame(rows)


def _corrupted_fields(queries, generator):
    rows = [
        {
            **{"field_id": field_id, "corruption": name, "stage": "field", "seed": 7, "settings": "{}"},
            "black": generator.uniform(0, 0.1) if "rotation" in name else 0.0,
            **{"augmentation": "no", "weights": "abc", "digest": "abc"},
        }
        for name in CORRUPTIONS
        for field_id in queries["field_id"]
    ]
    return schemas.corrupted_fields.validate(pd.DataFrame(rows))


def _leaks(folds_hash):
    rows = [
        {
            **{"kind": kind, "fold": fold, "other_fold": other, "compounds": 0 if kind == "structure" else 3, "of": 14},
            **{"example": None if kind == "structure" else "AAA ~ BBB (0.97)", "split_hash": folds_hash},
        }
        for kind in ("structure", "scaffold", "near-duplicate")
        for fold, other in (("test", "train"), ("validation", "train"))
    ]
    return schemas.leaks.validate(pd.DataFrame(rows))


def nothing(tables):
    """The same tables without a row, as a screen without labels, mechanisms and corruptions leaves them."""
    return {name: table.iloc[:0] for name, table in tables.items()}
