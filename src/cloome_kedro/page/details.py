"""What the page must know about an index."""

from collections.abc import Mapping
from typing import Any

from cloome_kedro.page.library import Shelf
from cloome_kedro.page.models import IndexDetails, IndexSummary
from cloome_kedro.reporting.montage import COLOURS


def summary(name: str, info: Mapping[str, Any]) -> IndexSummary:
    """Name, model, screen and split of an index."""
    return IndexSummary(id=name, **{key: str(info[key]) for key in ("label", "screen", "split", "model")})


def details(name: str, shelf: Shelf) -> IndexDetails:
    """All that the page shows before it asks."""
    info = shelf.index.info
    named = shelf.compounds.dropna(subset=["smiles"])
    return IndexDetails(
        **summary(name, info).model_dump(),
        simulated=bool(info["simulated"]),
        counts={kind: int(number) for kind, number in info["counts"].items()},
        accepts={what: bool(accepted) for what, accepted in info["accepts"].items()},
        advice=_advice(info),
        plates=shelf.plates,
        mechanisms=shelf.mechanisms,
        folds=shelf.folds,
        thumbnail=info["thumbnail"],
        limits=shelf.limits,
        colours={channel: list(colour) for channel, colour in COLOURS.items()},
        weights=str(info["weights"]),
        example=None if named.empty else str(named["smiles"].iloc[0]),
    )


def _advice(info: Mapping[str, Any]) -> str:
    """Sentence on what the model cannot embed, and which models can."""
    sentences = []
    for what, noun in (("smiles", "structures"), ("images", "images")):
        if info["accepts"][what]:
            continue
        able = [model["label"] for model in info["models"].values() if model[what]]
        others = f" {' and '.join(able)} can." if able else ""
        sentences.append(f"{info['label']} cannot embed new {noun}.{others}")
    return " ".join(sentences)
