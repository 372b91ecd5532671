"""The node of a fusion: the embeddings of several models are joined."""

import logging

from cloome_kedro.parameters import FusionParameters

logger = logging.getLogger(__name__)

_AGAIN = "run the pipelines training and embedding of this split again"


def fuse_models(examples, model: FusionParameters, seed: int, **embeddings):
    """Join the embeddings of the parts, so that their standardised scores are added with weights.

    Fields and compounds that a part does not know are left out. Weights are chosen on the validation fold. The test
    fold is never read for that.

    Parameters
    ----------
    examples : pandas.DataFrame
        Table of this name.
    model
        Entry of the fusion under ``models:``.
    embeddings
        ``<part>_fields`` and ``<part>_compounds`` of each part.

    Returns
    -------
    field_embeddings, compound_embeddings : cloome_kedro.evaluation.methods.Embeddings
    selection : pandas.DataFrame
        Table of this name: the tried weights.

    Raises
    ------
    ValueError
        If a part was trained on other folds, if its fields and compounds were embedded by different weights, or if its
        validation scores are all the same.
    """
    import dataclasses

    import numpy as np

    from cloome_kedro.evaluation.fusion import Part, choose_weights, factors, fuse, weight_grid
    from cloome_kedro.evaluation.methods import check_one_model, check_split
    from cloome_kedro.learning.checkpoint import weights_of
    from cloome_kedro.words import FOLDS, UNKNOWN_SPLIT

    split, folds_hash = str(examples["split"].iloc[0]), str(examples["split_hash"].iloc[0])
    parts = {name: Part(embeddings[f"{name}_fields"], embeddings[f"{name}_compounds"]) for name in model.parts}
    for name, part in parts.items():
        check_split(part.fields, f"fields of {name}", folds_hash, split)
        check_split(part.compounds, f"compounds of {name}", folds_hash, split)
        check_one_model(part.fields, part.compounds, f"{name}, {split} split")
    if isinstance(model.weights, dict):
        grid = np.array([[model.weights[name] for name in parts]])
    else:
        grid = weight_grid(len(parts), model.steps)
    usable = examples[examples["fold"] != "test"].reset_index(drop=True)
    weighting = choose_weights(parts, usable, grid, seed, model.draws)
    best = weighting.selection[weighting.selection["best"]]
    logger.info(
        "%s split, fusion: %s have %.1f %% validation top-1",
        split,
        ", ".join(f"{name} {weight:g}" for name, weight in weighting.weights.items()),
        100 * best["validation_top1"].iloc[0],
    )
    of_parts = factors(weighting)
    used = [parts[name] for name in of_parts]
    hashes = {name: parts[name].fields.meta["weights"] for name in of_parts}
    folds = {fold for part in used for fold in part.fields.meta.get("fitted_on", ["train"])}
    unknown = any(part.fields.meta["split_hash"] == UNKNOWN_SPLIT for part in parts.values())
    meta = {
        "split_hash": UNKNOWN_SPLIT if unknown else folds_hash,
        "seed": seed,
        "epoch": None,
        "weights": weights_of(_tensors(of_parts), hashes),
        "normalised": all(part.normalised for part in used),
        # A part that did not learn its vectors of fields, such as a ridge, adds profiles to what the others learned.
        "learned": any(part.learned for part in used),
        "parts": {name: {"weight": weighting.weights[name], "scale": weighting.scales[name]} for name in parts},
        "factors": {name: list(pair) for name, pair in of_parts.items()},  # of vectors of fields and of compounds
        "fitted_on": [fold for fold in FOLDS if fold in folds],
    }
    fused = []
    for side, joined in zip(("fields", "compounds"), fuse(parts, weighting), strict=True):
        sides = [getattr(part, side) for part in parts.values()]
        lost = max(len(each.keys) for each in sides) - len(joined.keys)
        if lost:
            logger.warning("%s split, fusion: %d %s are not known to all parts and are left out", split, lost, side)
        without_input = sum(each.meta.get("without_input", 0) for each in sides)
        fused.append(dataclasses.replace(joined, meta={**meta, "without_input": without_input}))
    return fused[0], fused[1], weighting.selection


def join_checkpoints(field_embeddings, model: FusionParameters, **checkpoints):
    """Put the checkpoints of the parts of a fusion together, so that it embeds new fields and compounds.

    Parts with weight 0 are left out.

    Parameters
    ----------
    field_embeddings : cloome_kedro.evaluation.methods.Embeddings
        Embeddings of the fusion, whose metadata have the weights.
    model
        Entry of the fusion under ``models:``.
    checkpoints
        ``<part>_checkpoint`` of each part.

    Returns
    -------
    cloome_kedro.learning.checkpoint.Checkpoint

    Raises
    ------
    ValueError
        If the fusion was made by another version, or of other weights than those of the checkpoints.
    """
    from cloome_kedro import __version__
    from cloome_kedro.learning.checkpoint import FORMAT, Checkpoint
    from cloome_kedro.words import FUSION

    meta = field_embeddings.meta
    if not set(meta.get("factors", ["?"])) <= set(model.parts):
        raise ValueError(f"the fusion of {', '.join(model.parts)} was made with other settings: {_AGAIN}")
    config = {
        "format": FORMAT,
        "kind": FUSION,
        "weighting": meta["parts"],
        **{name: meta[name] for name in ("split_hash", "seed", "epoch", "fitted_on", "normalised")},
        "version": __version__,
    }
    # Stored metadata are sorted by name, but the hash of the weights depends on the order of the parts.
    factors = {name: meta["factors"][name] for name in model.parts if name in meta["factors"]}
    parts = {name: checkpoints[f"{name}_checkpoint"] for name in factors}
    joined = Checkpoint(config, _tensors(factors), parts)
    if joined.weights != meta["weights"]:
        raise ValueError(f"the fusion of {', '.join(model.parts)} was made of other weights than those there: {_AGAIN}")
    return joined


def _tensors(factors):
    """Tensors of the checkpoint of a fusion: factors of the vectors of its parts."""
    import torch

    pairs = list(factors.values())
    return {
        side: torch.tensor([pair[place] for pair in pairs], dtype=torch.float64)
        for place, side in enumerate(("field", "compound"))
    }
