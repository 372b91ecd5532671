"""What a study of another size will need: disk, memory and hours of each step, from rates that were measured."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloome_kedro.words import counted

GPU_STEPS = ("training", "embedding", "corruption")
#: guess for plans with GPUs whose speed was not measured: the work of this many cores
GPU_AS_CORES = 500
#: guess: fields are embedded faster than they are trained on
EMBEDDING_SPEED = 2.5
#: the first seconds of each node, for imports and for what has a fixed size, do not grow
FIXED_SECONDS = 2.0
#: a step whose growing part is a smaller share of its time was too short: all of its time is then scaled
_ENOUGH = 0.2


@dataclass(frozen=True)
class Growth:
    """How time, disk and memory of a step grow: the exponents of each size.

    Attributes
    ----------
    time, disk, memory
        Size (``fields``, ``compounds``, ``assays`` or ``pixels`` of a stored image) -> exponent.
    measured
        Whether ``benchmarks/growth.py`` measures the exponents of the time. Others are a guess.
    """

    time: Mapping[str, float]
    disk: Mapping[str, float]
    memory: Mapping[str, float]
    measured: bool = True

    def is_guess(self, at: "Sizes", target: "Sizes") -> bool:
        """Whether a step is scaled from one size to another with exponents that were not measured."""
        sizes = self.time or ("fields", "compounds", "assays")
        return not self.measured and any(getattr(at, name) != getattr(target, name) for name in sizes)


_FIELDS, _COMPOUNDS = {"fields": 1.0}, {"compounds": 1.0}
_IMAGES = {"fields": 1.0, "pixels": 1.0}
#: Growth of each step. Images are read plate by plate or batch by batch, so their pixels do not count for the memory.
#: Pairs of queries and candidates are counted apart: see `Pairs`. A report shows tables and samples of a fixed size.
#: ``benchmarks/growth.py`` measures the exponents. Where it finds less than 1 for a time, because of fixed costs, 1 is
#: kept. Much of the memory of training, embedding and zero-shot classification is that of a batch or block, so that its
#: measured exponent is kept. For zero-shot classification with classes that grow with fields the exponent of the time
#: is 1.3: each field is ranked among all classes.
GROWTH: dict[str, Growth] = {
    "ingestion": Growth(_IMAGES, _IMAGES, _FIELDS),
    "profiles": Growth(_IMAGES, _FIELDS, _FIELDS),
    "featurization": Growth(_COMPOUNDS, _COMPOUNDS, _FIELDS),
    "training": Growth(_IMAGES, {}, {"fields": 0.5}),
    "embedding": Growth(_IMAGES, _FIELDS, {"fields": 0.6}),
    "retrieval": Growth(_COMPOUNDS, _COMPOUNDS, _COMPOUNDS, measured=False),
    "zero_shot": Growth({"fields": 1.0, "compounds": 0.3}, _FIELDS, {"fields": 0.5}),
    "probing": Growth({"fields": 1.0, "assays": 1.0}, {"assays": 1.0}, _FIELDS),
    "corruption": Growth(_IMAGES, _FIELDS, {"fields": 0.6}, measured=False),
    "uncertainty": Growth(_COMPOUNDS, _COMPOUNDS, _COMPOUNDS, measured=False),
    "reporting": Growth({}, {}, _FIELDS, measured=False),
    "index": Growth(_FIELDS, _FIELDS, _FIELDS),
}


@dataclass(frozen=True)
class Sizes:
    """Size of a study.

    Attributes
    ----------
    fields, compounds, assays
        How many there are.
    pixels
        Pixels of a stored image of one channel.
    """

    fields: float
    compounds: float
    assays: float
    pixels: float

    def over(self, other: "Sizes", exponents: Mapping[str, float]) -> float:
        """By which factor a step grows from another size to this one.

        >>> Sizes(200, 30, 5, 64).over(Sizes(100, 10, 5, 64), {"fields": 1, "compounds": 2})
        18.0
        """
        factor = 1.0
        for name, exponent in exponents.items():
            factor *= (getattr(self, name) / max(getattr(other, name), 1e-9)) ** exponent
        return factor


@dataclass(frozen=True)
class Measured:
    """What a step took.

    Attributes
    ----------
    seconds, fixed
        Time of all its nodes, and which part of it does not grow (`FIXED_SECONDS` of each node).
    disk
        Bytes of its outputs; None if they were not measured.
    memory_before, memory
        Memory of the process before the node with the highest peak, and the peak; None if they were not measured.
    cores
        Cores of the machine.
    source
        Where and when it was measured, for people.
    """

    seconds: float
    disk: float | None
    memory_before: float | None
    memory: float | None
    cores: float
    source: str
    fixed: float = 0.0


@dataclass(frozen=True)
class Pairs:
    """Pairs of a query and a candidate that retrieval ranks: the only part of a study that grows with a square.

    Attributes
    ----------
    number
        Pairs of all methods, directions and splits.
    rate
        Pairs that this machine ranks per second.
    """

    number: float
    rate: float


@dataclass(frozen=True)
class Machine:
    """The machine of the plan.

    Attributes
    ----------
    cores, gpus
        How many there are.
    rate
        Fields per second that one GPU trains on, as ``benchmarks/train_gpu.py`` measures it. None: a guess.
    """

    cores: float
    gpus: int = 0
    rate: float | None = None


@dataclass(frozen=True)
class Row:
    """Need of a step.

    Attributes
    ----------
    step
        Name of its pipeline.
    hours, disk, memory
        Time, bytes of the results and bytes of memory; None if they are not known.
    source
        From which rate they were computed.
    guess
        Whether a part of it was not measured.
    """

    step: str
    hours: float | None
    disk: float | None
    memory: float | None
    source: str
    guess: bool


def plan(
    measured: Mapping[str, Measured],
    at: Sizes,
    target: Sizes,
    machine: Machine,
    *,
    shown: float = 0.0,
    pairs: Pairs | None = None,
) -> list[Row]:
    """Compute the need of each step at another size.

    Parameters
    ----------
    measured
        Step -> what it took.
    at
        Size of the measured study.
    target
        Size of the planned study.
    machine
        The machine of the plan.
    shown
        Fields that trainings learn from in all epochs, models and splits. It is used with ``machine.rate``.
    pairs
        What retrieval ranks.

    Returns
    -------
    list of Row
        One per step of `GROWTH`, in the order of the study, then their sum. The memory of the sum is the largest.
    """
    rows = [_row(step, measured.get(step), at, target, machine, shown) for step in GROWTH]
    if pairs is not None:
        rows = [_with_pairs(row, pairs) if row.step == "retrieval" else row for row in rows]
    return [*rows, _sum(rows)]


def _row(step: str, found: Measured | None, at: Sizes, target: Sizes, machine: Machine, shown: float) -> Row:
    growth = GROWTH[step]
    if found is None:
        return Row(step, None, None, None, "not measured: run the step on a small study first", True)
    is_short = bool(growth.time) and found.seconds - found.fixed < _ENOUGH * found.seconds
    fixed = 0.0 if is_short else found.fixed
    seconds = fixed + (found.seconds - fixed) * target.over(at, growth.time)
    text = f"guess: {_described(growth.time)}" if growth.is_guess(at, target) else _described(growth.time)
    parts, guess = [found.source, text], bool(target.pixels != at.pixels and "pixels" in growth.time)
    if is_short:
        parts.append("guess: an upper limit, because its run was too short")
    if guess:
        parts.append(f"guess: in proportion to the pixels ({target.pixels:,.0f}, measured {at.pixels:,.0f})")
    guess = guess or any("guess" in part for part in parts)
    if step in GPU_STEPS and machine.gpus:
        seconds, how, guessed = _on_gpus(step, seconds * found.cores, target.fields, machine, shown)
        parts, guess = ([how] if machine.rate and step == "training" else [*parts, how]), guess or guessed
    elif machine.cores != found.cores:
        seconds *= found.cores / machine.cores
        parts.append(f"guess: {counted(machine.cores, 'core')} in place of {found.cores:.0f}")
        guess = True
    memory = None
    if found.memory is not None and found.memory_before is not None:
        memory = found.memory_before + (found.memory - found.memory_before) * target.over(at, growth.memory)
    disk = None if found.disk is None else found.disk * target.over(at, growth.disk)
    return Row(step, seconds / 3600, disk, memory, "; ".join(parts), guess)


def _with_pairs(row: Row, pairs: Pairs) -> Row:
    if row.hours is None:
        return row
    text = f"and {pairs.number:.2g} pairs at {pairs.rate:.2g} per second, measured now"
    return dataclasses.replace(row, hours=row.hours + pairs.number / pairs.rate / 3600, source=f"{row.source}; {text}")


def _on_gpus(step: str, core_seconds: float, fields: float, machine: Machine, shown: float) -> tuple[float, str, bool]:
    """Seconds of a step on GPUs, how they were computed, and whether this is a guess."""
    gpus = counted(machine.gpus, "GPU")
    if machine.rate and step == "training" and shown:
        text = f"{machine.rate:,.0f} fields/s per GPU as given, {shown:,.0f} fields in all epochs, {gpus}"
        return shown / (machine.rate * machine.gpus), text, False
    if machine.rate and step == "embedding":
        text = f"guess: {EMBEDDING_SPEED:g} times the given speed of training, {gpus}"
        return fields / (EMBEDDING_SPEED * machine.rate * machine.gpus), text, True
    text = f"guess: a GPU does the work of {GPU_AS_CORES} cores, {gpus}"
    return core_seconds / (GPU_AS_CORES * machine.gpus), text, True


def _described(exponents: Mapping[str, float]) -> str:
    """Text of a growth.

    >>> _described({"fields": 1, "compounds": 2})
    'grows with fields and compounds^2'
    """
    texts = [name if exponent == 1 else f"{name}^{exponent:g}" for name, exponent in exponents.items()]
    return f"grows with {' and '.join(texts)}" if texts else "does not grow"


def _sum(rows: Sequence[Row]) -> Row:
    def known(name: str) -> list[float]:
        return [value for row in rows if (value := getattr(row, name)) is not None]

    missing = [row.step for row in rows if row.hours is None]
    text = f"without {', '.join(missing)}" if missing else ""
    memory = max(known("memory"), default=None)
    return Row("all", sum(known("hours")), sum(known("disk")), memory, text, any(row.guess for row in rows))


def as_dictionaries(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    return [dataclasses.asdict(row) for row in rows]
