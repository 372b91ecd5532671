"""A small invented study, as the datasets that the report reads."""

import copy
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.chemistry.folds import split_hash
from cloome_kedro.chemistry.labels import KEYS
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.evaluation.summary import Summary, compare_ranks, summarise_ranks
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.parameters import StudyParameters
from cloome_kedro.reporting.style import Look
from cloome_kedro.words import COMPOUND_TO_IMAGE, IMAGE_TO_COMPOUND, ORACLE_PHENOTYPE, RETRIEVAL_METRICS
from synthetic_certainty import make_certainty
from synthetic_tasks import make_tasks

MODELS = {"cloome": "CLOOME", "bilinear": "Bilinear"}
STUDY = StudyParameters(screen="made_up", simulated=True, models=MODELS)
LOOK = Look("random split", STUDY.note, MODELS)
#: tables of the screen, which all splits share
SHARED = (
    *("fields", "rejected_fields", "pairs", "compounds", "rejected_compounds", "merged_compounds"),
    *("label_joins", "plate_store"),
)

STEMS = ["CC(=O)Nc1ccc({})cc1", "O=C(O)c1ccc({})nc1", "c1ccc2c(c1)cc({})[nH]2", "O=C1CCC(c2ccc({})cc2)N1"]
TAILS = [
    *("OC", "F", "Cl", "C(F)(F)F", "N(C)C", "OCC", "C#N"),
    *("S(C)(=O)=O", "CCO", "NC(C)=O", "Br", "C1CC1", "CC", "OC(C)C"),
]
SCAFFOLDS = ["c1ccccc1", "c1ccncc1", "c1ccc2[nH]ccc2c1", "O=C1CCC(c2ccccc2)N1"]
MECHANISMS = ["HDAC inhibitor", "tubulin inhibitor", "proteasome inhibitor|apoptosis inducer", None]
PATTERN = ["train", "validation", "test", "test"]  # of folds, compound by compound


class Store:
    """Plate store of two plates whose images are made up by plate and row."""

    def __init__(self, size=24):
        self.size = size

    def reader(self, plate_files, rows):
        def read(indices):
            return np.stack([self.image(plate_files[i], int(rows[i])) for i in indices])

        return read

    def illumination(self, plate_file):
        return Path("illumination", f"{plate_file}.npz")  # does not exist: the plates are not corrected

    def image(self, plate_file, row):
        generator = np.random.default_rng([int(plate_file[-1]), row])
        grid = np.mgrid[: self.size, : self.size] / self.size
        waves = [np.sin(2 * np.pi * (a * grid[0] + b * grid[1])) for a, b in generator.uniform(1, 4, (5, 2))]
        return (127 + 120 * np.stack(waves)).astype(np.uint8)


def make_study(split="random", noise=1.5, seed=0, store=None, models=MODELS, sees_images=True):
    """Datasets by name, of 56 compounds with two fields each and of eight control fields.

    ``checkpoints`` and ``histories`` are by the name of the model; ``field_embeddings`` and ``compound_embeddings`` are
    those of the first model. Where the first model sees no images, there is nothing of corrupted images.
    """
    made = _made(split, noise, seed, tuple(models.items()), sees_images)
    return copy.deepcopy(made) | {"plate_store": store or Store()}


@cache
def _made(split, noise, seed, models, sees_images):
    generator = np.random.default_rng(seed)
    labels = [label for _, label in models]
    compounds = _compounds()
    fields = _fields(len(compounds))
    pairs = fields[~fields["control"]].copy()
    pairs["inchikey"] = compounds["inchikey"].to_numpy()[pairs["row"]]
    pairs["treatment"] = pairs["inchikey"] + "@5"
    pairs = schemas.pairs.validate(pairs[[*schemas.pairs.columns]])
    examples = make_examples(pairs, compounds, split)

    structures = _unit(generator.normal(size=(len(compounds), 16)))
    images = _unit(structures[examples["structure_row"]] + noise / 4 * generator.normal(size=(len(examples), 16)))
    origin = {"split_hash": examples["split_hash"].iloc[0], "normalised": True, "weights": "0123456789abcdef"}
    field_embeddings = Embeddings(examples["field_id"].to_numpy(), images, origin)
    compound_embeddings = Embeddings(compounds["inchikey"].to_numpy(), structures, origin)

    ranks = _retrieval_ranks(examples, field_embeddings, compound_embeddings, split, labels)
    first = ranks[ranks["method"] == labels[0]].reset_index(drop=True)
    others = [method for method in ranks["method"].unique() if method != labels[0]]
    changes = [compare_ranks(first, ranks[ranks["method"] == name], f"method {name}", Summary()) for name in others]
    tables, metrics, differences = make_tasks(examples, first, seed, sees_images)
    return {
        "fields": fields,
        "rejected_fields": _rejected_fields(),
        "pairs": pairs,
        "compounds": compounds,
        "rejected_compounds": pd.DataFrame(
            {"compound_id": ["BRD-x"], "smiles": ["C(C"], "reason": ["RDKit cannot parse"]}
        ),
        "merged_compounds": schemas.empty(schemas.merged_compounds),
        "label_joins": pd.DataFrame(
            {"key": KEYS, "compounds": [30, 0, 2, 5], "labels": [900, 0, 8, 40], "contradictions": [0, 0, 1, 0]}
        ),
        "examples": examples,
        "checkpoints": {name: _checkpoint(place, sees_images and place == 0) for place, (name, _) in enumerate(models)},
        "histories": {name: _history(30 - 10 * place, generator) for place, (name, _) in enumerate(models)},
        "field_embeddings": field_embeddings,
        "compound_embeddings": compound_embeddings,
        "retrieval_ranks": ranks,
        "metrics": _joined([summarise_ranks(ranks, Summary()), *metrics], schemas.metrics, examples),
        "differences": _joined([*changes, *differences], schemas.differences, examples),
        **tables,
        **make_certainty(examples, field_embeddings, compound_embeddings, labels),
    }


def make_examples(pairs, compounds, split):
    """Table ``examples``; the folds of the split ``random`` are others than those of all other splits."""
    pattern = PATTERN if split == "random" else np.roll(PATTERN, 1)
    folds = pd.DataFrame({"inchikey": compounds["inchikey"], "fold": np.resize(pattern, len(compounds))})
    facts = compounds[["inchikey", "moa"]].assign(structure_row=np.arange(len(compounds)))
    examples = pairs.merge(facts, on="inchikey").merge(folds, on="inchikey")
    examples = examples.assign(split=split, split_hash=split_hash(folds))
    return schemas.examples.validate(examples[[*schemas.examples.columns]])


def _unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _joined(tables, schema, examples):
    """Results of all tasks in one table."""
    found = pd.concat([table for table in tables if len(table)], ignore_index=True)
    return schema.validate(found.assign(split_hash=examples["split_hash"].iloc[0]))


def _compounds():
    from rdkit import Chem

    smiles = [Chem.CanonSmiles(stem.format(tail)) for stem in STEMS for tail in TAILS]
    compounds = pd.DataFrame(
        {
            "inchikey": [Chem.MolToInchiKey(Chem.MolFromSmiles(text)) for text in smiles],
            "smiles": smiles,
            "scaffold": np.repeat(SCAFFOLDS, len(TAILS)),
            "name": [f"compound {i}" for i in range(len(smiles))],
            "moa": np.resize(np.array(MECHANISMS, object), len(smiles)),
            "stripped": np.resize(np.array(["Chloride", "Chloride|WATER", None, None], object), len(smiles)),
        }
    )
    compounds.insert(1, "block", compounds["inchikey"].str[:14])
    return schemas.compounds.validate(compounds)


def _fields(treated):
    """Two plates, each with one well for every compound and four control wells."""
    wells = [f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 9)]
    rows = [
        {"plate": f"plate{p}", "well": wells[w], "compound_id": f"BRD-{w:04d}" if w < treated else None, "row": w}
        for p in (1, 2)
        for w in range(treated + 4)
    ]
    fields = pd.DataFrame(rows).assign(screen="virtual", site=1, concentration_um=5.0)
    fields = fields.assign(control=fields["compound_id"].isna(), plate_file=fields["plate"])
    fields["field_id"] = "virtual/" + fields["plate"] + "/" + fields["well"] + "/1"
    for statistic in ("threshold", "saturated", "mean", "std", "focus"):
        fields = fields.assign(**{f"{statistic}_{channel}": 1.0 for channel in CHANNELS})
    return schemas.fields.validate(fields)


def _rejected_fields():
    rejected = {"screen": "virtual", "plate": "plate1", "site": 1, "stage": "image"}
    reasons = {"H07": "unreadable TIFF: not a <TIFF> file", "H08": "channel DNA is all black"}
    rows = [
        {**rejected, "field_id": f"virtual/plate1/{well}/1", "well": well, "reason": reason}
        for well, reason in reasons.items()
    ]
    return schemas.rejected_fields.validate(pd.DataFrame(rows))


def _retrieval_ranks(examples, field_embeddings, compound_embeddings, split, labels):
    """Ranks by the embeddings; each further model has ranks that are worse, the oracle has better ones."""
    test = examples[(examples["fold"] == "test") & (examples["plate"] == "plate1")]
    images, keys = test["field_id"].to_numpy(), test["inchikey"].to_numpy()
    similarity = field_embeddings.of(images) @ compound_embeddings.of(keys).T
    tables = []
    for direction, scores, queries, matches in (
        (IMAGE_TO_COMPOUND, similarity, images, keys),
        (COMPOUND_TO_IMAGE, similarity.T, keys, images),
    ):
        of_full = 1 + (scores > np.diag(scores)[:, None]).sum(1)
        of_sampled = 1 + (of_full - 1) * 19 // (len(test) - 1)
        for pool, size, rank in (("full", len(test), of_full), ("sampled", 20, of_sampled)):
            setting = {"split": split, "task": "retrieval", "images": "clean", "direction": direction, "pool": pool}
            setting |= {"excluded": None, "candidates": size, "query": queries, "match": matches, "compound": keys}
            for draw, shown_by in ((0, "field"), (1, "field"), (0, "mean")):
                shown = np.maximum(1, rank - 2 * draw) if shown_by == "field" else 1 + rank // 3
                by_method = {label: np.minimum(size, (1 + place) * shown) for place, label in enumerate(labels)}
                by_method[ORACLE_PHENOTYPE] = np.maximum(1, shown // 2)
                tables += [
                    pd.DataFrame({**setting, "draw": draw, "shown_by": shown_by, "method": method, "rank": of_method})
                    for method, of_method in by_method.items()
                ]
    return schemas.ranks.validate(pd.concat(tables, ignore_index=True))


def _history(length, generator):
    """A training of so many epochs, of which the third last was kept."""
    epochs = np.arange(1, length + 1)
    history = pd.DataFrame({"epoch": epochs, "step": epochs * 3, "train_loss": 5 * np.exp(-epochs / 15)})
    history["validation_loss"] = history["train_loss"] + 0.4
    for name in RETRIEVAL_METRICS:
        noise = generator.normal(scale=0.01, size=length)
        history[f"validation_{name}"] = np.clip(epochs / 100 + noise, 0, 1)
    history = history.assign(inverse_temperature=14.3 + epochs / 20, learning_rate=1e-3, gradient_norm=0.5)
    history = history.assign(fields_per_second=800.0, waiting_fraction=0.1, best=epochs == length - 3)
    return schemas.history.validate(history)


def _checkpoint(place, sees_images):
    """The first model has networks on both sides; further ones are a matrix between profiles and fingerprints."""
    from cloome_kedro.learning.checkpoint import Checkpoint, describe
    from cloome_kedro.learning.config import FitConfig
    from cloome_kedro.learning.encoders.identity import Identity
    from cloome_kedro.learning.encoders.linear import Linear
    from cloome_kedro.learning.encoders.mlp import MLP
    from cloome_kedro.learning.encoders.resnet import ResNet
    from cloome_kedro.learning.model import Architecture, PairModel
    from cloome_kedro.learning.objectives.info_nce import InfoNCE
    from cloome_kedro.learning.views.images import Images
    from cloome_kedro.learning.views.morgan import Morgan
    from cloome_kedro.learning.views.profiles import Profiles

    small = MLP(layers=1, width=4)
    field, compound = (ResNet((1, 1, 1, 1), width=1) if sees_images else small, small) if place == 0 else (
        Identity(), Linear(start="zeros")
    )  # fmt: skip
    views = {
        "field": Images() if sees_images else Profiles(("area", "intensity"), (0.0, 0.0), (1.0, 1.0)),
        "compound": Morgan(radius=2, bits=16, chirality=False),
    }
    architecture = Architecture(field, compound, views["field"].inputs, views["compound"].inputs, embedding_size=4)
    config = describe(architecture, views, InfoNCE(), FitConfig())
    return Checkpoint(config, PairModel(architecture).state_dict())
