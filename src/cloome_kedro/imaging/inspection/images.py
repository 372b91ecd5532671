"""Read a few fields of each plate: size, type and bit depth of the images, and what the ingestion will cost."""

import os
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination
from cloome_kedro.imaging.images import BadField, read_field, statistics, to_stored
from cloome_kedro.imaging.inspection.findings import Finding, Verdict
from cloome_kedro.imaging.plates import field_planes
from cloome_kedro.imaging.readers import read_image, stamp
from cloome_kedro.words import counted, one_line


def sample_fields(index: pd.DataFrame, storage: Storage, per_plate: int, seconds: float) -> pd.DataFrame:
    """Read a few fields of each plate, and store them in memory as the ingestion does.

    Parameters
    ----------
    index
        Table ``field_index``.
    storage
        How fields are stored.
    per_plate
        Number of fields of each plate.
    seconds
        No further field is read after this time. Each source's first plate comes first, so that all sources are seen.

    Returns
    -------
    One row per field that was read: plate, field_id, height, width, dtype, largest (value), read_seconds,
    store_seconds, bytes (of its files), and reason (why it cannot be used; null if it can).
    """
    chosen = [
        fields.iloc[np.linspace(0, len(fields) - 1, min(per_plate, len(fields))).round().astype(int)].assign(turn=turn)
        for _, plates in index.groupby("source", sort=False)
        for turn, (_, fields) in enumerate(plates.groupby("plate", sort=True))
    ]
    rows: list[dict] = []
    start = time.perf_counter()
    fields = pd.concat(chosen).sort_values("turn", kind="stable") if chosen else index
    channels = zip(*field_planes(fields), strict=True) if len(fields) else ()
    described = zip(fields["plate"], fields["field_id"], fields["bit_depth"], channels, strict=False)
    for plate, field_id, bit_depth, planes in described:
        if rows and time.perf_counter() - start > seconds:
            break
        rows.append({"plate": plate, "field_id": field_id, **_read(list(planes), int(bit_depth), storage)})
    columns = ["plate", "field_id", "height", "width", "dtype", "largest", "read_seconds", "store_seconds", "bytes"]
    return pd.DataFrame(rows, columns=[*columns, "reason"])


def _read(planes: list, bit_depth: int, storage: Storage) -> dict:
    first = planes[0][0] if isinstance(planes[0], list) else planes[0]
    files = {path for plane in planes for path, _ in (plane if isinstance(plane, list) else [plane])}
    start = time.perf_counter()
    try:
        raw, reason = read_field(planes, bit_depth, None), None
    except BadField as error:
        try:
            raw, reason = read_image(*first)[None], str(error)
        except BadField:
            return {"reason": str(error)}
    middle = time.perf_counter()
    facts = {
        "height": raw.shape[-2],
        "width": raw.shape[-1],
        "dtype": str(raw.dtype),
        "largest": int(raw.max()),
        "read_seconds": middle - start,
        "bytes": sum(max(size, 0) for path in files if isinstance(size := stamp(path)[0], int)),
        "reason": reason,
    }
    if reason is None:
        try:
            storage.stored_shape(raw.shape[-2:])
        except ValueError as error:
            return {**facts, "reason": str(error)}
        statistics(to_stored(raw, storage)[0])
        facts["store_seconds"] = time.perf_counter() - middle
    return facts


def check_images(sample: pd.DataFrame, index: pd.DataFrame, storage: Storage) -> list[Finding]:
    """Judge size, type and bit depth of the images that were read."""
    if sample.empty:
        return []
    plates = f"{sample['plate'].nunique():,} of {counted(index['plate'].nunique(), 'plate')}"
    seen = f"{counted(len(sample), 'field')} of {plates}"
    findings = []
    bad = sample[sample["reason"].notna()]
    if len(bad):
        stops = len(bad) > len(sample) / 20 or _has_plate_of_small_images(sample, storage)
        verdict: Verdict = "error" if stops else "warning"
        text = f"{len(bad)} of {seen} that were read cannot be used, e.g. {bad['field_id'].iloc[0]}: "
        findings.append(Finding("images", verdict, text + one_line(bad["reason"].iloc[0], 300)))
    good = sample[sample["reason"].isna()].assign(depth=lambda rows: rows["field_id"].map(_depths(index)))
    sizes = good.groupby(["height", "width", "dtype"]).size()
    if len(sizes):
        kinds = ", ".join(f"{h:.0f} x {w:.0f} {dtype}" for h, w, dtype in sizes.index)
        stored = {storage.stored_shape((int(h), int(w))) for h, w, _ in sizes.index}
        if len(stored) > 1:
            text = f"plates have images of different sizes ({kinds}) and would be stored differently: set storage.size"
            findings.append(Finding("images", "error", text))
        elif not len(bad):
            (height, width), largest = next(iter(stored)), int(good["largest"].max())
            text = f"{kinds}, largest value {largest:,}, stored as {height} x {width} uint8 ({seen} were read)"
            findings.append(Finding("images", "ok", text))
    for depth, lower in ((16, 12), (16, 8), (12, 8)):
        dim = good[(good["depth"] == depth) & (good["largest"] < 2**lower)]
        if len(dim) and len(dim) == (good["depth"] == depth).sum() and (lower == 8 or dim["largest"].max() >= 256):
            text = (
                f"no value is above {int(dim['largest'].max()):,}, although bit_depth is {depth}: if the camera has "
                f"{lower} bits, set bit_depth: {lower}, so that saturated pixels are counted"
            )
            findings.append(Finding("images", "warning", text))
    return findings


def _has_plate_of_small_images(sample: pd.DataFrame, storage: Storage) -> bool:
    """Whether all fields that were read of a plate are smaller than the stored size: the ingestion then stops."""
    small = [not _can_be_stored(shape, storage) for shape in zip(sample["height"], sample["width"], strict=True)]
    return bool(pd.Series(small, sample.index).groupby(sample["plate"]).all().any())


def _can_be_stored(shape: tuple[float, float], storage: Storage) -> bool:
    """Whether images are large enough; also if their shape is not known."""
    try:
        storage.stored_shape(shape)  # type: ignore[arg-type]
    except ValueError:
        return False
    return True


def _depths(index: pd.DataFrame) -> pd.Series:
    return index.set_index("field_id")["bit_depth"].astype(int)


@dataclass(frozen=True)
class Cost:
    """What the ingestion will need.

    Attributes
    ----------
    raw_bytes, stored_bytes
        Size of the images, as they are and in the plate store. NaN if no field was read.
    seconds
        Time of the ingestion with ``n_jobs`` processes. NaN if no field was read.
    """

    raw_bytes: float
    stored_bytes: float
    seconds: float


def ingestion_cost(sample: pd.DataFrame, index: pd.DataFrame, storage: Storage, n_jobs: int) -> Cost:
    """Estimate disk and time of the ingestion from the fields that were read.

    Time is the mean time per field, read twice if plates share one threshold per channel, and once more if it is one of
    those from which the illumination is estimated. It is divided by the number of processes that work on different
    plates at the same time. A disk or a network that several processes share can make it longer.
    """
    good = sample[sample["reason"].isna()]
    if good.empty:
        return Cost(np.nan, np.nan, np.nan)
    means = good[["bytes", "read_seconds", "store_seconds"]].astype(float).mean()
    height, width = storage.stored_shape((int(good["height"].iloc[0]), int(good["width"].iloc[0])))
    reads = 2.0 if storage.scope == "plate" and (index["bit_depth"].astype(int) > 8).any() else 1.0
    if isinstance(storage.illumination, EstimatedIllumination):
        reads += min(1.0, storage.illumination.fields * index["plate"].nunique() / len(index))
    cores = os.cpu_count() or 1
    processes = min(index["plate"].nunique(), n_jobs if n_jobs > 0 else max(1, cores + 1 + n_jobs))
    seconds = len(index) * (reads * means["read_seconds"] + means["store_seconds"]) / processes
    return Cost(len(index) * means["bytes"], float(len(index) * len(CHANNELS) * height * width), seconds)


def described_plates(plates: pd.DataFrame, sample: pd.DataFrame) -> pd.DataFrame:
    """Join what was read of each plate to its counts: columns height, width, dtype and largest."""
    read = sample.groupby("plate")[["height", "width", "dtype", "largest"]].max()
    return plates.merge(read.reset_index(), on="plate", how="left")
