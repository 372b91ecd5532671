"""What zero-shot classification, probing, corruptions and the leak check find in the invented study."""

from itertools import product

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.evaluation.summary import compare_ranks, summarise_ranks

TOP_K = (1, 5, 10)
CORRUPTIONS = ("random_flip", "small_rotation", "random_flip_small_rotation", "large_rotation", "gaussian_blur")
METHODS = {"CLOOME": 3.0, "Profiles": 2.0, "Untrained": 1.2, "Plate only": 0.3, "Cell count only": 0.2}
HASH = "0123456789abcdef"


def make_tasks(study, split="random", seed=0):
    """Tables by dataset name, for the test fields of a study that ``synthetic_study.make_study`` made."""
    generator = np.random.default_rng(seed)
    test = study["folds"].query("fold == 'test'")["inchikey"]
    queries = study["pairs"][study["pairs"]["inchikey"].isin(test)]
    labels = pd.Series([f"mechanism {i % 9}" if i % 10 else None for i in range(len(test))], index=test)
    zero_shot = _zero_shot(queries, labels, split, generator)
    others = [group for key, group in zero_shot.groupby(["pool", "excluded"]) if key != ("full", "none")]
    published = zero_shot[(zero_shot["excluded"] == "none") & (zero_shot["pool"] == "full")]
    ours = published[published["method"] == "CLOOME"]
    differences = [compare_ranks(other, published, "excluded none", TOP_K, 0.95) for other in others]
    for method in [name for name in METHODS if name != "CLOOME"]:
        other = published[published["method"] == method]
        differences.append(compare_ranks(ours, other, f"method {method}", TOP_K, 0.95))
    corrupted = pd.concat([_worse(ours, name, generator) for name in ("random_flip_small_rotation",)])
    retrieval = study["retrieval_ranks"].query("method == 'CLOOME' and shown_by == 'field' and draw == 0")
    turned = pd.concat([_worse(retrieval, name, generator) for name in CORRUPTIONS])
    changes = [
        compare_ranks(turned, retrieval, "clean", TOP_K, 0.95),
        compare_ranks(corrupted, ours, "clean", TOP_K, 0.95),
    ]
    clean, changed = _scores(split, generator), _scores(split, generator, "random_flip_small_rotation")
    return {
        "zero_shot_ranks": schemas.ranks.validate(zero_shot[zero_shot["draw"] == 0]),
        "zero_shot_metrics": _finished(summarise_ranks(zero_shot, TOP_K, 0.95), schemas.metrics),
        "zero_shot_differences": _finished(pd.concat(differences), schemas.differences),
        "corruption_metrics": _finished(
            pd.concat([summarise_ranks(pd.concat([turned, corrupted]), TOP_K, 0.95), _probing_metrics(changed)]),
            schemas.metrics,
        ),
        "corruption_differences": _finished(pd.concat(changes), schemas.differences),
        "corrupted_fields": _corrupted_fields(queries, generator),
        "probing_scores": clean,
        "corruption_probing_scores": changed,
        "probing_metrics": _probing_metrics(clean),
        "probing_differences": _probing_differences(clean),
        "leaks": _leaks(),
    }  # fmt: skip


def _finished(table, schema):
    return schema.validate(table.assign(split_hash=HASH).reset_index(drop=True))


def _zero_shot(queries, labels, split, generator):
    parts = []
    moa = queries["inchikey"].map(labels)
    for task, matches in (("zero-shot compound", queries["inchikey"]), ("zero-shot MoA", moa)):
        classes = matches.nunique()
        known = matches.notna()
        protocols = [("full", "none"), ("full", "well"), ("full", "plate"), ("same plate", "well")]
        if task == "zero-shot MoA":
            protocols += [("full", "compound"), ("full", "plate+compound")]
        for (pool, excluded), (method, skill), draw in product(protocols, METHODS.items(), range(3)):
            chances = generator.random(known.sum()) ** (1 if excluded != "none" else skill)
            parts.append(
                pd.DataFrame(
                    {
                        **{"split": split, "task": task, "method": method, "images": "clean", "direction": None},
                        **{"pool": pool, "shown_by": "field", "excluded": excluded, "draw": draw},
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


def _scores(split, generator, images="clean"):
    rows = []
    for method, skill in (METHODS if images == "clean" else {"CLOOME": 2.5}).items():
        for assay in range(12):
            scored = assay != 11
            drawn = np.clip(0.5 + 0.12 * skill + generator.normal(scale=0.06, size=4), 0, 1)
            rows.append(
                {"split": split, "method": method, "images": images, "shown_by": "mean", "assay": f"assay_{assay}",
                 "scored": scored, "reason": None if scored else "no inactive compound in the fold test",
                 "c": 0.1 if scored else None, "validation_auc": 0.7 if scored else None,
                 **{name: value if scored else None
                    for name, value in zip(("auc", "f1", "average_precision", "mcc"), drawn, strict=True)},
                 **{f"{fold}_{kind}": 5 for fold in schemas.FOLDS for kind in ("actives", "inactives")},
                 "split_hash": HASH}
            )  # fmt: skip
    return schemas.probing_scores.validate(pd.DataFrame(rows))


_PROBING = {
    "task": "probing", "direction": None, "pool": None, "shown_by": "mean", "excluded": None, "split_hash": HASH,
}  # fmt: skip


def _probing_metrics(scores):
    names = {"AUC": "auc", "F1": "f1", "average precision": "average_precision", "MCC": "mcc"}
    rows = []
    for (split, method, images), group in scores[scores["scored"]].groupby(["split", "method", "images"]):
        values = {f"mean {name}": group[column].mean() for name, column in names.items()}
        values |= {f"SD {name}": group[column].std() for name, column in names.items()}
        values |= {f"AUC > {level:g}": (group["auc"] > level).sum() for level in (0.9, 0.8, 0.7)}
        for metric, value in values.items():
            sure = metric == "mean AUC"
            rows.append(
                {**_PROBING, "split": split, "method": method, "images": images, "draws": 1, "candidates": None,
                 "metric": metric, "value": value, "low": value - 0.05 if sure else None,
                 "high": value + 0.05 if sure else None, "interval": "bootstrap" if sure else "none",
                 "n": len(group), "compounds": 28, "successes": None, "spread": None,
                 "chance": 0.5 if sure else None}
            )  # fmt: skip
    random = next(row for row in rows if row["metric"] == "mean AUC")
    rows.append({**random, "method": "Random", "value": 0.5, "low": None, "high": None, "interval": "none"})
    return schemas.metrics.validate(pd.DataFrame(rows))


def _probing_differences(scores):
    mean = scores[scores["scored"]].groupby("method")["auc"].mean()
    rows = [
        {**_PROBING, "split": scores["split"].iloc[0], "method": "CLOOME", "images": "clean",
         "against": f"method {method}", "metric": "mean AUC", "difference": mean["CLOOME"] - value,
         "low": mean["CLOOME"] - value - 0.03, "high": mean["CLOOME"] - value + 0.03, "n": 11, "compounds": 28}
        for method, value in mean.items() if method != "CLOOME"
    ]  # fmt: skip
    return schemas.differences.validate(pd.DataFrame(rows))


def _corrupted_fields(queries, generator):
    rows = [
        {"field_id": field, "corruption": name, "stage": "field", "seed": 7, "settings": "{}",
         "black": generator.uniform(0, 0.1) if "rotation" in name else 0.0, "augmentation": False, "digest": "abc"}
        for name in CORRUPTIONS for field in queries["field_id"]
    ]  # fmt: skip
    return schemas.corrupted_fields.validate(pd.DataFrame(rows))


def _leaks():
    rows = [
        {"kind": kind, "fold": fold, "other_fold": other, "compounds": 0 if kind == "structure" else 3, "of": 14,
         "example": None if kind == "structure" else "AAA ~ BBB (0.97)", "split_hash": HASH}
        for kind in ("structure", "scaffold", "near-duplicate")
        for fold, other in (("test", "train"), ("validation", "train"))
    ]  # fmt: skip
    return schemas.leaks.validate(pd.DataFrame(rows))


def nothing(tables):
    """The same tables without a row, as a screen without labels, mechanisms and corruptions leaves them."""
    return {name: table.iloc[:0] for name, table in tables.items()}
