"""A pre-training: the encoder of fields learns to predict measured features of fields."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloome_kedro.parameters import ModelParameters
from cloome_kedro.words import counted

logger = logging.getLogger(__name__)

#: folder of the states and results of pre-trainings, beside those of trainings
PRETRAINING = "pretraining"


@dataclass(frozen=True)
class PretrainingData:
    """Data of a pre-training, beside the examples.

    Attributes
    ----------
    fit_states
        Folder of the states of trainings. States and results of pre-trainings are in its subfolder ``pretraining``.
        Equal pre-trainings of several models run once.
    fields, compound_keys : pandas.DataFrame
        Tables of these names, for fields of control wells.
    """

    fit_states: Path
    fields: Any
    compound_keys: Any


def control_fields(fields, compound_keys, examples):
    """Fields of control wells, as rows of ``examples`` with the fold ``control``.

    Fields are left out if their compound, or one that differs only in stereochemistry, is in another fold than
    ``train``. So a pre-training never sees compounds of the validation and the test fold.

    Returns
    -------
    pandas.DataFrame
        Columns that ``fields`` and ``examples`` have in common, ``inchikey`` (empty if unknown), ``structure_row`` (-1)
        and ``fold``.
    """
    from cloome_kedro.learning.data import CONTROL

    controls = fields[fields["control"]]
    keys = controls["compound_id"].map(compound_keys.set_index("compound_id")["inchikey"]).astype("string").fillna("")
    held_out = examples.loc[examples["fold"] != "train", "inchikey"].str[:14]
    seen = ~keys.str[:14].isin(held_out)
    if n_held_out := int((~seen).sum()):
        logger.info(
            "the pre-training leaves out %s of compounds of the validation or the test fold",
            counted(n_held_out, "control field"),
        )
    columns = [name for name in examples.columns if name in fields.columns]
    return controls.loc[seen, columns].assign(inchikey=keys[seen].astype(object), structure_row=-1, fold=CONTROL)


def pretrain_model(
    data: PretrainingData,
    examples,
    sources: Mapping[str, Any],
    model: ModelParameters,
    seed: int,
    progress: bool = True,
    *,
    watch: Callable[[dict[str, Any]], object] | None = None,
):
    """Pre-train the encoder of fields of a model on the training fold and control wells.

    The epoch with the lowest loss on the validation fold is kept. An interrupted pre-training continues, and a finished
    one with equal inputs is not repeated, also not for another model.

    Parameters
    ----------
    examples : pandas.DataFrame
        Table of this name. Rows of the test fold are never read.
    sources
        Datasets that the views of the model read, by name.
    model
        Settings with a pre-training.
    progress
        Whether to show progress bars.
    watch
        As in :class:`cloome_kedro.learning.validation.Validation`.

    Returns
    -------
    result : cloome_kedro.learning.fit.FitResult
        Best encoder and head, under the metric ``loss``, and history.
    description : dict
        Description of them for the config of a checkpoint.

    Raises
    ------
    ValueError
        If the tables do not fit together, or no field has features.
    """
    import pandas as pd

    from cloome_kedro.learning.checkpoint import describe
    from cloome_kedro.learning.data import feature_data
    from cloome_kedro.learning.features import FeatureArchitecture, FeatureLoss, FeatureModel
    from cloome_kedro.learning.fit import fit
    from cloome_kedro.learning.loop import Recipe
    from cloome_kedro.learning.seeding import seeded
    from cloome_kedro.learning.start import read_tensors, start_from
    from cloome_kedro.learning.state import FitState
    from cloome_kedro.learning.validation import Validation

    pretrain = model.pretrain
    assert pretrain is not None
    # The test fold is removed here, so that nothing below can read it.
    table = examples[examples["fold"] != "test"]
    if pretrain.controls:
        table = pd.concat([table, control_fields(data.fields, data.compound_keys, examples)])
    table = table.reset_index(drop=True)
    views = {"field": model.field.view, "target": pretrain.target}
    pairs, known = feature_data(table, sources, views, seed, progress)
    if not known.all():
        logger.warning(
            "%d of %d fields are left out of the pre-training, since they have no input or no features to predict; the "
            "first is %s",
            *((~known).sum(), len(known), table.loc[~known, "field_id"].iloc[0]),
        )
    field, target = pairs.field.view, pairs.sides["target"].view
    size = model.field.encoder.fixed_size(field.inputs) or model.embedding_size
    if model.compound.encoder.fixed_size(1) is not None:  # then compounds determine the length of embeddings
        train = (table["fold"] == "train").to_numpy().nonzero()[0]
        compound = model.compound.view.fit(table, sources, train, seed, progress)
        size = model.compound.encoder.fixed_size(compound.inputs)
    architecture = FeatureArchitecture(model.field.encoder, field.inputs, size, target.inputs)
    logger.info(
        "pre-training on %s, %d of them of control wells: %d features",
        *(counted(len(pairs.train), "field"), (table["fold"].iloc[pairs.train] == "control").sum(), target.inputs),
    )
    with seeded(seed):
        network = FeatureModel(architecture)
    if model.start is not None:
        tensors = read_tensors(model.start)
        start_from(network, {k: v for k, v in tensors.items() if k.startswith("visual.")}, model.start)
    recipe = Recipe(FeatureLoss(), pretrain.fit, seed)
    state = FitState(data.fit_states / PRETRAINING, shared=True)
    result = fit(network, pairs, recipe, Validation(_no_metrics, watch=watch), state, progress)
    return result, describe(architecture, {"field": field, "target": target}, None, pretrain.fit)


def _no_metrics(fields, compounds) -> dict[str, float]:
    return {}
