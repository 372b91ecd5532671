"""A small index with a model, whose images, compounds and results are invented."""

import numpy as np
import pandas as pd

from cloome_kedro import Cloome
from cloome_kedro.chemistry.standardise import standardise_smiles
from cloome_kedro.index.build import update
from cloome_kedro.index.content import Content
from cloome_kedro.index.layout import KINDS
from cloome_kedro.learning.checkpoint import Checkpoint, describe, save
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan

SIDE = 32
#: name, SMILES, mechanism, fold
COMPOUNDS = (
    ("ethanol", "CCO", "solvent", "train"),
    ("phenol", "Oc1ccccc1", "antiseptic|solvent", "train"),
    ("aspirin", "CC(=O)Oc1ccccc1C(=O)O", "COX inhibitor", "train"),
    ("paracetamol", "CC(=O)Nc1ccc(O)cc1", "COX inhibitor", "validation"),
    ("caffeine", "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "adenosine antagonist", "test"),
    ('<b onclick="alert(1)">bold</b>', "c1ccc2ccccc2c1", None, "test"),
    ('=HYPERLINK("http://a.b")', "C1CCCCC1", "O'Neill's \"mechanism\" 100 %", "train"),
)
PLATES, ROWS, COLUMNS = ("P1", "O'Neill <2>"), "ABC", range(1, 5)
_STORAGE = {
    "channels": ["Mito", "ER", "RNA", "AGP", "DNA"],
    "intensity": {"outlier_percent": 0.5, "scale": 255},
    "scope": "field",
    "crop": None,
    "size": [SIDE, SIDE],
}


def checkpoint(by_plate=False):
    """A model with random weights, which sees images of 32 x 32 pixels and structures.

    Parameters
    ----------
    by_plate
        Whether thresholds and controls of the plate scale the images.
    """
    architecture = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=1, width=8), 5, 64, embedding_size=6)
    storage = _STORAGE | ({"scope": "plate"} if by_plate else {})
    normalisation = {"normalisation": "controls"} if by_plate else {}
    images = Images(crop=None, mean=(100.0,) * 5, std=(60.0,) * 5, storage=storage, **normalisation)
    with seeded(0):
        model = PairModel(architecture)
    views = {"field": images, "compound": Morgan(2, 64, False)}
    return Checkpoint(describe(architecture, views, InfoNCE(), FitConfig()), model.state_dict())


def invented_fields(number, seed=0, side=SIDE):
    """Noise with a bright square in each channel, uint8 (number, 5, side, side)."""
    generator = np.random.default_rng(seed)
    fields = generator.integers(5, 60, (number, 5, side, side))
    for field in fields:
        for plane in field:
            top, left = generator.integers(0, side // 2, 2)
            plane[top : top + side // 3, left : left + side // 2] += generator.integers(60, 180)
    return fields.astype(np.uint8)


def tables():
    """Metadata of fields and of compounds."""
    structures = [standardise_smiles(smiles) for _, smiles, _, _ in COMPOUNDS]
    compounds = pd.DataFrame(
        {
            "inchikey": [structure.inchikey for structure in structures],
            "compound": [name for name, *_ in COMPOUNDS],
            "smiles": [structure.smiles for structure in structures],
            "moa": [moa for _, _, moa, _ in COMPOUNDS],
            "fold": [fold for *_, fold in COMPOUNDS],
        }
    )
    wells = [(plate, f"{row}{column:02}") for plate in PLATES for row in ROWS for column in COLUMNS]
    rows = []
    for number, (plate, well) in enumerate(wells):
        is_control = number % 6 == 5
        treatment = dict.fromkeys(compounds) if is_control else compounds.iloc[number % len(compounds)].to_dict()
        place = {"plate": plate, "well": well, "control": is_control, "concentration_um": None if is_control else 5.0}
        rows += [{"field_id": f"made_up/{plate}/{well}/{site}", "site": site} | place | treatment for site in (1, 2)]
    fields = pd.DataFrame(rows)
    fields["concentration_um"] = fields["concentration_um"].astype(float)
    counts = fields["inchikey"].value_counts()
    return fields, compounds.assign(fields=compounds["inchikey"].map(counts).fillna(0).astype(int))


def _results():
    ranks = pd.DataFrame([{"searched": kind, "rank": rank, "candidates": 7} for kind in KINDS for rank in (1, 1, 2, 4)])
    sets = pd.DataFrame(
        [
            {"searched": kind, "level": level, "share": share}
            | {"coverage": level - 0.01, "low": level - 0.1, "high": level + 0.04}
            for kind in KINDS
            for level, share in ((0.8, 0.4), (0.9, 0.6))
        ]
    )
    return {"ranks": ranks, "candidate_sets": sets}


def _plate_statistics():
    rows = [
        {
            "plate": plate,
            "plate_file": plate,
            "channel": channel,
            "mean": 40.0 + number,
            "std": 20.0,
            "threshold": 30_000,
        }
        for number, plate in enumerate(PLATES)
        for channel in _STORAGE["channels"]
    ]
    return {"plate_statistics": pd.DataFrame(rows)}


def build(folder, model="cloome", has_model=True, simulated=True, by_plate=False, **info):
    """Build the index of the invented screen in a folder; return the folder.

    Parameters
    ----------
    has_model
        False: the index has neither a model nor images.
    by_plate
        As for :func:`checkpoint`.
    """
    fields, compounds = tables()
    made = checkpoint(by_plate)
    cloome = Cloome(made, device="cpu")
    scaling = {"statistics": {"mean": [40.0] * 5, "std": [20.0] * 5}} if by_plate else {}
    images = invented_fields(len(fields))
    row_of = {key: row for row, key in enumerate(fields["field_id"])}
    labels = {"cloome": {"label": "CLOOME", "smiles": True, "images": True}}
    content = Content(
        info={
            "screen": "made_up",
            "split": "random",
            "model": model,
            "label": labels.get(model, {"label": model.capitalize()})["label"],
            "simulated": simulated,
            "weights": made.weights,
            "split_hash": "0123456789abcdef",
            "normalised": True,
            "fitted_on": ["train"],
            "channels": _STORAGE["channels"],
            "thumbnail_side": SIDE if has_model else None,
            "fingerprints": {"radius": 2, "bits": 64, "chirality": False},
            "accepts": {"smiles": has_model, "images": has_model},
            "models": labels
            | ({} if has_model else {model: {"label": model.capitalize(), "smiles": False, "images": False}}),
            "seed": 0,
        }
        | info,
        fields=fields,
        field_vectors=cloome.embed_fields(images, progress=False, **scaling),
        compounds=compounds,
        compound_vectors=cloome.embed_structures(compounds["smiles"].tolist(), progress=False),
        tables=_results() | (_plate_statistics() if by_plate else {}),
        read_thumbnails=(lambda keys: images[[row_of[key] for key in keys]]) if has_model else None,
        save_model=(lambda place: save(made, place)) if has_model else None,
    )
    update(folder, content)
    return folder
