"""Normalisation of raw profiles against the controls of each plate, and selection of features (pycytominer)."""

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

    Missing values become 0, the centre of the controls. Features are selected only on fields with nuclei: in wells
    whose cells died, the features of nuclei are missing, and the selection would drop them. Compounds and labels have
    no influence on the selection. Each plate is read twice, so that the features of all fields are never in memory at
    once.

    Parameters
    ----------
    store
        Folder of raw profiles.
    index
        Table ``profile_index``.
    fields
        Table ``fields``: all fields, and which of them are controls.
    normalisation, selection
        How values are normalised, and how features are selected.

    Returns
    -------
    profiles
        field_id and float32 features, one row per field.

    Raises
    ------
    ValueError
        If the profiles in the store differ from the index, a field has no profile, no field has a nucleus, or no
        feature is left.
    """
    plates = {
        str(name): (table["field_id"], _reference(str(name), table["control"].to_numpy(), normalisation))
        for name, table in fields.groupby("plate_file", sort=True)
    }
    digests = dict(zip(index["plate_file"], index["digest"], strict=True))
    for name in plates:
        if store.digest(name) is None or store.digest(name) != digests.get(name):
            raise ValueError(
                f"{store.path(name)} is missing or differs from profile_index; run the pipeline profiles again"
            )

    rng = np.random.default_rng(selection.seed)
    share = min(1.0, selection.fields / len(fields))
    samples = []
    for name, (field_ids, reference) in plates.items():
        raw = _read(store, name, field_ids)
        rows = np.flatnonzero(raw["Nuclei_Count"] > 0) if "Nuclei_Count" in raw else np.arange(len(raw))
        rows = np.sort(rng.choice(rows, math.ceil(share * len(rows)), replace=False))
        samples.append(normalise_plate(raw, reference, normalisation).iloc[rows])
    features = select_features(pd.concat(samples, ignore_index=True), normalisation, selection)

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
    """Fields against which a plate is normalised: its controls, or all fields if it has too few controls."""
    if control.sum() >= normalisation.minimum_controls:
        return control
    logger.warning(
        "plate %s has %d control fields, fewer than profiles.normalise.minimum_controls (%d). It is normalised against "
        "all its fields",
        *(plate_file, control.sum(), normalisation.minimum_controls),
    )
    return np.ones_like(control)


def _read(store: TableStore, plate_file: str, field_ids: pd.Series) -> pd.DataFrame:
    """Raw profiles of some fields of a plate, with field_id as the index."""
    raw = store.read(plate_file).set_index("field_id")
    if missing := sorted(set(field_ids) - set(raw.index)):
        raise ValueError(f"{store.path(plate_file)} has no field {missing[0]}; run the pipeline profiles again")
    return raw.loc[field_ids]


def normalise_plate(raw: pd.DataFrame, reference: npt.NDArray[np.bool_], normalisation: Normalisation) -> pd.DataFrame:
    """Normalise the features of one plate: centre and spread of the reference rows become 0 and 1.

    Parameters
    ----------
    raw
        Features only, one row per field or well.
    reference
        (N,) bool: the rows that give centre and spread.
    normalisation
        Method and clip.

    Returns
    -------
    Features, float32. NaN if a feature is missing or has no spread in the reference rows.
    """
    with warnings.catch_warnings():
        # pycytominer 1.7 sets an option that is the default in pandas 3, which warns
        warnings.filterwarnings("ignore", message=".*copy_on_write")
        from pycytominer import normalize

    features = list(raw.columns)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # features that are missing in all reference rows cause these warnings and stay NaN
        warnings.filterwarnings("ignore", message="After omitting NaNs|Degrees of freedom|Mean of empty slice")
        normalised = normalize(
            raw.astype(np.float64).assign(Metadata_reference=reference),
            features=features,
            meta_features=[],
            samples="Metadata_reference",
            method=normalisation.method,
            mad_robustize_epsilon=0,  # a feature without spread becomes infinite, which is replaced below
        )
    normalised = normalised.where(np.isfinite(normalised)).loc[:, features]
    reference_rows = raw[reference]
    # standardize divides a feature without spread by 1, so that it stays finite
    normalised.loc[:, reference_rows.max() == reference_rows.min()] = np.nan
    return normalised.clip(-normalisation.clip, normalisation.clip).astype(np.float32)


def select_features(
    profiles: pd.DataFrame, normalisation: Normalisation, selection: Selection, group: str = "profiles"
) -> list[str]:
    """Names of the selected features, in their original order.

    Parameters
    ----------
    profiles
        Normalised features only, one row per field or well.
    normalisation, selection
        ``na_cutoff``, and the operations.
    group
        Group of parameters of the selection, for messages.

    Raises
    ------
    ValueError
        If there are no rows, or no feature is left.
    """
    from pycytominer import feature_select

    if profiles.empty:
        raise ValueError(
            "no field has a nucleus; correct profiles.measure.nucleus_diameter and profiles.measure.minimum_contrast"
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
            raise ValueError(
                f"{group}.select.operations: {operation} removes all {len(features)} features; remove this operation "
                "or change its threshold"
            )
        features = list(kept.columns)
    logger.info("profiles: %d of %d features selected on %d fields", len(features), profiles.shape[1], len(profiles))
    return features
