"""Raw profiles to normalised ones: against a plate's controls, without features that say nothing new (pycytominer)."""

import logging
import math
import warnings

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.config import Normalisation, Selection
from cloome_kedro.stores import TableStore

logger = logging.getLogger(__name__)


def normalise_profiles(
    store: TableStore,
    index: pd.DataFrame,
    fields: pd.DataFrame,
    normalisation: Normalisation,
    selection: Selection,
) -> pd.DataFrame:
    """Normalise each plate, then select features.

    What is missing is filled with 0, the controls' centre. Selection sees only fields with nuclei, so that dead wells
    do not cost the features of nuclei. It sees neither compounds nor labels. Plates are read twice, so that all
    features of all fields are never in memory together.

    Parameters
    ----------
    store
        Folder of raw profiles.
    index
        Table ``profile_index``.
    fields
        Table ``fields``: which fields there are, and which of them are controls.
    normalisation, selection
        How values are normalised, and which features are kept.

    Returns
    -------
    profiles
        field_id and float32 features, one row per field.

    Raises
    ------
    ValueError
        If the store does not hold what the index says, a field has no profile, no field has a nucleus, or no feature
        is left.
    """
    plates = {
        str(name): (table["field_id"], _reference(str(name), table["control"].to_numpy(), normalisation))
        for name, table in fields.groupby("plate_file", sort=True)
    }
    digests = dict(zip(index["plate_file"], index["digest"], strict=True))
    for name in plates:
        if store.digest(name) is None or store.digest(name) != digests.get(name):
            raise ValueError(f"{store.path(name)} is not what profile_index says; run the pipeline profiles again")

    rng = np.random.default_rng(selection.seed)
    share = min(1.0, selection.fields / len(fields))
    sample = []
    for name, (field_ids, reference) in plates.items():
        raw = _read(store, name, field_ids)
        rows = np.flatnonzero(raw["Nuclei_Count"] > 0) if "Nuclei_Count" in raw else np.arange(len(raw))
        rows = np.sort(rng.choice(rows, math.ceil(share * len(rows)), replace=False))
        sample.append(normalise_plate(raw, reference, normalisation).iloc[rows])
    features = _select(pd.concat(sample, ignore_index=True), normalisation, selection)

    missing, tables = 0, []
    for name, (field_ids, reference) in plates.items():
        profiles = normalise_plate(_read(store, name, field_ids), reference, normalisation)[features]
        missing += int(profiles.isna().to_numpy().sum())
        tables.append(profiles.fillna(0).reset_index(names="field_id"))
    values = len(fields) * len(features)
    logger.info(
        "profiles: %d of %d values (%.2f %%) were missing and set to 0", missing, values, 100 * missing / values
    )
    return pd.concat(tables, ignore_index=True)


def _reference(plate_file: str, control: npt.NDArray[np.bool_], normalisation: Normalisation) -> npt.NDArray[np.bool_]:
    """Which fields the plate is normalised against."""
    if control.sum() >= normalisation.minimum_controls:
        return control
    logger.warning(
        "plate %s has %d control fields, fewer than profiles.normalise.minimum_controls, %d: normalised against all "
        "its fields",
        *(plate_file, control.sum(), normalisation.minimum_controls),
    )
    return np.ones_like(control)


def _read(store: TableStore, plate_file: str, field_ids: pd.Series) -> pd.DataFrame:
    """Raw profiles of these fields, field_id as the index."""
    raw = store.read(plate_file).set_index("field_id")
    if missing := sorted(set(field_ids) - set(raw.index)):
        raise ValueError(f"{store.path(plate_file)} has no field {missing[0]}; run the pipeline profiles again")
    return raw.loc[field_ids]


def normalise_plate(raw: pd.DataFrame, reference: npt.NDArray[np.bool_], normalisation: Normalisation) -> pd.DataFrame:
    """One plate in units of the spread of its reference rows.

    Parameters
    ----------
    raw
        Features only, one row per field or well.
    reference
        (N,) bool, which rows to normalise against.
    normalisation
        Method and clip.

    Returns
    -------
    float32; NaN where a feature is missing or has no spread in the reference rows.
    """
    with warnings.catch_warnings():
        # pycytominer 1.7 sets an option that is pandas 3's default
        warnings.filterwarnings("ignore", message=".*copy_on_write")
        from pycytominer import normalize

    features = list(raw.columns)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # features that no reference field has stay NaN
        warnings.filterwarnings("ignore", message="After omitting NaNs|Degrees of freedom|Mean of empty slice")
        normalised = normalize(
            raw.astype(np.float64).assign(Metadata_reference=reference),
            features=features,
            meta_features=[],
            samples="Metadata_reference",
            method=normalisation.method,
            mad_robustize_epsilon=0,  # a feature without spread becomes infinite, not merely huge
        )
    among = raw[reference]
    normalised = normalised.where(np.isfinite(normalised)).loc[:, features]
    normalised.loc[:, among.max() == among.min()] = np.nan  # where standardize divides by 1
    return normalised.clip(-normalisation.clip, normalisation.clip).astype(np.float32)


def _select(profiles: pd.DataFrame, normalisation: Normalisation, selection: Selection) -> list[str]:
    """Names of the features that are kept, in their order."""
    from pycytominer import feature_select

    if profiles.empty:
        raise ValueError(
            "no field has a nucleus: see profiles.measure.nucleus_diameter and profiles.measure.minimum_contrast"
        )
    features = list(profiles.columns)
    for operation in selection.operations:
        kept = feature_select(
            profiles[features],
            features=features,
            operation=operation,
            na_cutoff=normalisation.na_cutoff,
            corr_threshold=selection.correlation_threshold,
        )
        if kept.shape[1] == 0:
            raise ValueError(f"profiles.select.operations: {operation} leaves none of {len(features)} features")
        features = list(kept.columns)
    logger.info("profiles: %d of %d features selected on %d fields", len(features), profiles.shape[1], len(profiles))
    return features
