"""A small invented study, as the tables of ``cloome_kedro.schemas`` and embeddings."""

import copy
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.evaluation.summary import compare_ranks, summarise_ranks
from cloome_kedro.imaging.channels import CHANNELS
from synthetic_tasks import make_tasks

STEMS = ["CC(=O)Nc1ccc({})cc1", "O=C(O)c1ccc({})nc1", "c1ccc2c(c1)cc({})[nH]2", "O=C1CCC(c2ccc({})cc2)N1"]
TAILS = [
    "OC",
    "F",
    "Cl",
    "C(F)(F)F",
    "N(C)C",
    "OCC",
    "C#N",
    "S(C)(=O)=O",
    "CCO",
    "NC(C)=O",
    "Br",
    "C1CC1",
    "CC",
    "OC(C)C",
]
MECHANISMS = ["HDAC inhibitor", "tubulin inhibitor", "proteasome inhibitor|apoptosis inducer", None]


class Store:
    """Plate store of two plates whose images are made up by plate and row."""

    def __init__(self, size=24):
        self.size = size

    def reader(self, plate_files, rows):
        def read(indices):
            return np.stack([self.image(plate_files[i], int(rows[i])) for i in indices])

        return read

    def image(self, plate_file, row):
        generator = np.random.default_rng([int(plate_file[-1]), row])
        grid = np.mgrid[: self.size, : self.size] / self.size
        waves = [np.sin(2 * np.pi * (a * grid[0] + b * grid[1])) for a, b in generator.uniform(1, 4, (5, 2))]
        return (127 + 120 * np.stack(waves)).astype(np.uint8)


@dataclass
class Vectors:
    """Stand-in for the catalog's embeddings."""

    keys: np.ndarray
    vectors: np.ndarray
    meta: dict = field(default_factory=dict)

    def of(self, keys):
        position = pd.Index(self.keys).get_indexer(pd.Index(keys))
        if (position < 0).any():
            raise KeyError(f"no embedding of {np.asarray(keys)[position < 0][0]}")
        return self.vectors[position]


def _unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_study(split="random", noise=1.5, seed=0, store=None):
    """Tables and embeddings of 56 compounds with two fields each and eight control fields, by dataset name."""
    return copy.deepcopy(_made(split, noise, seed)) | {"plate_store": store or Store()}


@cache
def _made(split, noise, seed):
    from rdkit import Chem

    generator = np.random.default_rng(seed)
    smiles = [Chem.CanonSmiles(stem.format(tail)) for stem in STEMS for tail in TAILS]
    compounds = pd.DataFrame(
        {
            "inchikey": [Chem.MolToInchiKey(Chem.MolFromSmiles(s)) for s in smiles],
            "smiles": smiles,
            "scaffold": np.repeat(["c1ccccc1", "c1ccncc1", "c1ccc2[nH]ccc2c1", "O=C1CCC(c2ccccc2)N1"], len(TAILS)),
            "name": [f"compound {i}" for i in range(len(smiles))],
            "moa": np.tile(MECHANISMS, len(smiles) // 4),
        }
    )
    compounds.insert(1, "block", compounds["inchikey"].str[:14])
    compounds = schemas.compounds.validate(compounds)
    n = len(compounds)
    wells = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 9)]
    rows = [
        {"plate": f"plate{p}", "well": wells[w], "compound_id": f"BRD-{w:04d}" if w < n else None, "row": w}
        for p in (1, 2)
        for w in range(n + 4)
    ]
    fields = pd.DataFrame(rows).assign(
        screen="virtual",
        site=1,
        control=lambda t: t["compound_id"].isna(),
        concentration_um=5.0,
        plate_file=lambda t: t["plate"],
    )
    fields["field_id"] = "virtual/" + fields["plate"] + "/" + fields["well"] + "/1"
    for statistic in ("threshold", "saturated", "mean", "std", "focus"):
        fields = fields.assign(**{f"{statistic}_{channel}": 1.0 for channel in CHANNELS})
    fields = schemas.fields.validate(fields)
    pairs = fields[~fields["control"]].copy()
    pairs["inchikey"] = compounds["inchikey"].to_numpy()[pairs["row"]]
    pairs["treatment"] = pairs["inchikey"] + "@5"
    pairs = schemas.pairs.validate(pairs[[*schemas.pairs.columns]])
    folds = pd.DataFrame(
        {"inchikey": compounds["inchikey"], "fold": np.tile(["train", "validation", "test", "test"], n // 4)}
    )

    structures = _unit(generator.normal(size=(n, 16)))
    by_row = np.vstack([structures, generator.normal(size=(4, 16))])
    images = _unit(by_row[fields["row"]] + noise / 4 * generator.normal(size=(len(fields), 16)))
    test = folds.index[folds["fold"] == "test"]
    pool = fields.set_index("row").loc[test].groupby(level=0).first()["field_id"]
    similarity = Vectors(fields["field_id"].to_numpy(), images).of(pool) @ structures[test].T
    keys = compounds["inchikey"].to_numpy()[test]
    ranks = []
    for direction, scores in (("structure retrieval", similarity), ("image retrieval", similarity.T)):
        queries, matches = pool.to_numpy(), keys
        if direction == "image retrieval":
            queries, matches = matches, queries
        rank = 1 + (scores > np.diag(scores)[:, None]).sum(1)
        for name, size, found in (("full", len(test), rank), ("sampled", 20, 1 + (rank - 1) * 19 // (len(test) - 1))):
            task = {"split": split, "task": "retrieval", "images": "clean", "direction": direction, "pool": name}
            task |= {"excluded": None, "candidates": size, "query": queries, "match": matches, "compound": keys}
            for draw, shown_by in ((0, "field"), (1, "field"), (0, "mean")):
                better = np.maximum(1, found - 2 * draw) if shown_by == "field" else 1 + found // 3
                task |= {"draw": draw, "shown_by": shown_by}
                ranks += [
                    pd.DataFrame({**task, "method": "CLOOME", "rank": better}),
                    pd.DataFrame({**task, "method": "Bilinear", "rank": np.minimum(size, 2 * better)}),
                    pd.DataFrame({**task, "method": "Oracle (phenotype)", "rank": np.maximum(1, better // 2)}),
                ]
    ranks = schemas.ranks.validate(pd.concat(ranks, ignore_index=True))
    identity = {"split_hash": "0123456789abcdef"}
    metrics = summarise_ranks(ranks, (1, 5, 10), 0.95).assign(**identity)
    ours = ranks[ranks["method"] == "CLOOME"].reset_index(drop=True)
    bilinear = ranks[ranks["method"] == "Bilinear"]
    differences = compare_ranks(ours, bilinear, "method Bilinear", (1, 5, 10), 0.95).assign(**identity)
    epochs = np.arange(1, 31)
    history = pd.DataFrame({"epoch": epochs, "step": epochs * 3, "train_loss": 5 * np.exp(-epochs / 15)})
    history["validation_loss"] = history["train_loss"] + 0.4
    for column in (name for name in schemas.history.columns if name.startswith("validation_") and name not in history):
        history[column] = np.clip(epochs / 100 + generator.normal(scale=0.01, size=30), 0, 1)
    history = history.assign(
        inverse_temperature=14.3 + epochs / 20,
        learning_rate=1e-3,
        gradient_norm=0.5,
        fields_per_second=800.0,
        waiting_fraction=0.1,
    )
    history["best"] = history["epoch"] == 27
    rejected = {"screen": "virtual", "plate": "plate1", "site": 1, "stage": "image"}
    rejected_fields = pd.DataFrame(
        [
            {**rejected, "field_id": f"virtual/plate1/{well}/1", "well": well, "reason": reason}
            for well, reason in (("H07", "unreadable TIFF: not a <TIFF> file"), ("H08", "channel DNA is all black"))
        ]
    )
    study = {
        "history": schemas.history.validate(history),
        "retrieval_ranks": ours,
        "bilinear_ranks": bilinear,
        "oracle_ranks": ranks[ranks["method"].str.startswith("Oracle")],
        "retrieval_metrics": schemas.metrics.validate(metrics),
        "retrieval_differences": schemas.differences.validate(differences),
        "image_embeddings": Vectors(fields["field_id"].to_numpy(), images),
        "structure_embeddings": Vectors(compounds["inchikey"].to_numpy(), structures),
        "fields": fields,
        "rejected_fields": schemas.rejected_fields.validate(rejected_fields),
        "pairs": pairs,
        "compounds": compounds,
        "rejected_compounds": pd.DataFrame(
            {"compound_id": ["BRD-x"], "smiles": ["C(C"], "reason": ["RDKit cannot parse"]}
        ),
        "folds": schemas.folds.validate(folds),
    }
    return study | make_tasks(study, split, seed)
