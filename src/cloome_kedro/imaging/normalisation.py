"""Raw profiles to normalised ones: against a plate's controls, without features that say nothing new (pycytominer)."""

import logging
import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from cloome_kedro.imaging.profiles import ProfileStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NormalisationSettings:
    """How raw features become profiles.

    Attributes
    ----------
    method
        pycytominer's ``mad_robustize`` (median and MAD) or ``standardize`` (mean and standard deviation).
    minimum_controls
        Control fields that a plate needs; with fewer, it is normalised against all of its fields.
    clip
        Largest absolute value after normalisation.
    selection
        Operations of pycytominer's ``feature_select``, in turn; ``na_cutoff`` and ``correlation_threshold`` are its.
    selection_fields
        Fields that features are selected on; drawn by ``seed`` where there are more.
    """

    method: str = "mad_robustize"
    minimum_controls: int = 8
    clip: float = 20.0
    selection: tuple[str, ...] = ("drop_na_columns", "variance_threshold", "correlation_threshold")
    na_cutoff: float = 0.05
    correlation_threshold: float = 0.9
    selection_fields: int = 20_000
    seed: int = 0


def normalise_profiles(
    store: ProfileStore, index: pd.DataFrame, fields: pd.DataFrame, settings: NormalisationSettings
) -> pd.DataFrame:
    """Normalise each plate, then select features.

    What is missing is filled with 0, the controls' centre. Selection sees fields with nuclei only, so that dead wells
    do not cost the features of nuclei; it sees neither compounds nor labels. Plates are read twice, so that all
    features of all fields are never in memory together.

    Parameters
    ----------
    index
        Table ``profile_index``.
    fields
        Table ``fields``: which fields there are, and which of them are controls.

    Returns
    -------
    profiles
        field_id and float32 features, a row a field.

    Raises
    ------
    ValueError
        If the store does not hold what the index says, a field has no profile, no field has a nucleus, or no feature is
        left.
    """
    plates = {
        str(name): (table["field_id"], _reference(str(name), table["control"].to_numpy(), settings.minimum_controls))
        for name, table in fields.groupby("plate_file", sort=True)
    }
    digests = dict(zip(index["plate_file"], index["digest"], strict=True))
    for name in plates:
        if store.digest(name) is None or store.digest(name) != digests.get(name):
            raise ValueError(f"{store.path(name)} is not what profile_index says; run the pipeline profiles again")

    rng = np.random.default_rng(settings.seed)
    share = min(1.0, settings.selection_fields / len(fields))
    sample = []
    for name, (field_ids, reference) in plates.items():
        raw = _read(store, name, field_ids)
        rows = np.flatnonzero(raw["Nuclei_Count"] > 0) if "Nuclei_Count" in raw else np.arange(len(raw))
        rows = np.sort(rng.choice(rows, math.ceil(share * len(rows)), replace=False))
        sample.append(normalise_plate(raw, reference, settings).iloc[rows])
    features = _select(pd.concat(sample, ignore_index=True), settings)

    missing, tables = 0, []
    for name, (field_ids, reference) in plates.items():
        profiles = normalise_plate(_read(store, name, field_ids), reference, settings)[features]
        missing += int(profiles.isna().to_numpy().sum())
        tables.append(profiles.fillna(0).reset_index(names="field_id"))
    values = len(fields) * len(features)
    logger.info(
        "profiles: %d of %d values (%.2f %%) were missing and set to 0", missing, values, 100 * missing / values
    )
    return pd.concat(tables, ignore_index=True)


def _reference(plate_file: str, control: npt.NDArray[np.bool_], minimum_controls: int) -> npt.NDArray[np.bool_]:
    """Which fields the plate is normalised against."""
    if control.sum() >= minimum_controls:
        return control
    logger.warning(
        "plate %s has %d control fields, fewer than profiles.minimum_controls, %d: normalised against all its fields",
        *(plate_file, control.sum(), minimum_controls),
    )
    return np.ones_like(control)


def _read(store: ProfileStore, plate_file: str, field_ids: pd.Series) -> pd.DataFrame:
    """Raw profiles of these fields, field_id as the index."""
    raw = store.read(plate_file).set_index("field_id")
    if missing := sorted(set(field_ids) - set(raw.index)):
        raise ValueError(f"{store.path(plate_file)} has no field {missing[0]}; run the pipeline profiles again")
    return raw.loc[field_ids]


def normalise_plate(
    raw: pd.DataFrame, reference: npt.NDArray[np.bool_], settings: NormalisationSettings
) -> pd.DataFrame:
    """One plate in the spread of its reference rows: float32, NaN where a feature is missing or has no spread in them.

    Parameters
    ----------
    raw
        Features only, a row a field or well.
    reference
        (N,) bool, which rows to normalise against.
    settings
        Method and clip.
    """
    with warnings.catch_warnings():
        # pycytominer 1.7 sets what pandas 3 does anyway
        warnings.filterwarnings("ignore", message=".*copy_on_write")
        from pycytominer import normalize

    features = list(raw.columns)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        # features that no reference field has: they stay NaN
        warnings.filterwarnings("ignore", message="After omitting NaNs|Degrees of freedom|Mean of empty slice")
        normalised = normalize(
            raw.astype(np.float64).assign(Metadata_reference=reference),
            features=features,
            meta_features=[],
            samples="Metadata_reference",
            method=settings.method,
            mad_robustize_epsilon=0,  # no spread: infinite, not merely huge
        )
    among = raw[reference]
    normalised = normalised.where(np.isfinite(normalised)).loc[:, features]
    normalised.loc[:, among.max() == among.min()] = np.nan  # where standardize divides by 1
    return normalised.clip(-settings.clip, settings.clip).astype(np.float32)


def _select(profiles: pd.DataFrame, settings: NormalisationSettings) -> list[str]:
    """Names of the features that are kept, in their order."""
    from pycytominer import feature_select

    if profiles.empty:
        raise ValueError("no field has a nucleus: see profiles.nucleus_diameter and profiles.minimum_contrast")
    features = list(profiles.columns)
    for operation in settings.selection:
        kept = feature_select(
            profiles[features],
            features=features,
            operation=operation,
            na_cutoff=settings.na_cutoff,
            corr_threshold=settings.correlation_threshold,
        )
        if kept.shape[1] == 0:
            raise ValueError(f"profiles.selection: {operation} leaves none of {len(features)} features")
        features = list(kept.columns)
    logger.info("profiles: %d of %d features selected on %d fields", len(features), profiles.shape[1], len(profiles))
    return features
