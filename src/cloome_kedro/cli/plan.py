"""``cloome plan``: disk, memory and hours that a study of another size will need."""

import json
import os
from typing import Any

import click

from cloome_kedro.cli.options import FiniteFloat

#: length of the embeddings whose ranking is measured
_SIZE = 512


@click.command()
@click.option("--fields", type=click.IntRange(min=1), required=True, help="Fields of the planned study.")
@click.option("--compounds", type=click.IntRange(min=1), help="Its compounds. The default is in proportion.")
@click.option("--assays", type=click.IntRange(min=0), help="Its assays. The default is as many as were measured.")
@click.option("--size", help="Pixels of its stored images, such as 520x696. The default is the measured size.")
@click.option("--gpus", type=click.IntRange(min=0), default=0, show_default=True, help="Its GPUs.")
@click.option("--cores", type=click.IntRange(min=1), help="Its cores. The default are those of this machine.")
@click.option("--rate", type=FiniteFloat(min=0, min_open=True), help="Fields/s that one GPU trains on.")
@click.option("--env", "-e", default="local", show_default=True, help="Environment whose study was measured.")
@click.option("--variant", help="Variant of the study that was measured.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def command(
    *,
    fields: int,
    compounds: int | None,
    assays: int | None,
    size: str | None,
    gpus: int,
    cores: int | None,
    rate: float | None,
    env: str,
    variant: str | None,
    as_json: bool,
) -> None:
    """Print the disk, memory and hours that each step of a study of another size will need.

    Rates are those of the last run of each step in the environment. If it was never run, this machine is measured for
    some seconds, and steps that need a run are left open. `cloome plan` says of each number where it comes from, and
    whether a part of it is a guess.
    """
    from cloome_kedro.calibration import ranked_pairs_per_second
    from cloome_kedro.cli.project import Project, quiet_kedro
    from cloome_kedro.measured_steps import measured_steps, sizes
    from cloome_kedro.planning import Machine, Pairs, Sizes, as_dictionaries, plan

    project = Project.find(env)
    with quiet_kedro():
        from cloome_kedro.pipeline_registry import register_pipelines

        pipelines = register_pipelines(project.loader)
    epochs = _epochs(project)
    at, measured = sizes(project), measured_steps(project, pipelines, variant)
    if at is None or not measured:
        at, measured = _calibrated(project, epochs, float(compounds or 1), float(assays or 1))
    target = Sizes(
        fields,
        compounds or max(1.0, round(at.compounds * fields / at.fields)),
        assays or at.assays,
        _pixels(size) if size else at.pixels,
    )
    machine = Machine(float(cores or os.cpu_count() or 1), gpus, rate)
    pairs = Pairs(_pairs(project, target), ranked_pairs_per_second(_SIZE))
    rows = plan(measured, at, target, machine, shown=epochs * fields, pairs=pairs)
    if as_json:
        planned = {"fields": fields, "compounds": target.compounds, "assays": target.assays, "pixels": target.pixels}
        click.echo(json.dumps({"planned": planned, "steps": as_dictionaries(rows)}, indent=1))
        return
    click.echo(
        f"{fields:,} fields, {target.compounds:,.0f} compounds, {target.assays:,.0f} assays, stored images of "
        f"{target.pixels:,.0f} pixels; {machine.cores:.0f} cores, {gpus} GPUs"
    )
    click.echo(_table(rows))
    click.echo(
        "\nWhat the measured machine took, scaled by the growth of each step, without the disk of the raw images. Rows "
        "with * contain a guess."
    )


def _table(rows: list[Any]) -> str:
    from cloome_kedro.words import duration, size

    texts = [("", "step", "time", "disk", "memory", "from")]
    for row in rows:
        texts.append(
            (
                "*" if row.guess else "",
                row.step,
                "?" if row.hours is None else duration(3600 * row.hours),
                "?" if row.disk is None else size(row.disk),
                "?" if row.memory is None else size(row.memory),
                row.source,
            )
        )
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in texts]
    return "\n".join(lines)


def _pixels(size: str) -> float:
    parts = size.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) for part in parts):
        raise ValueError(f"--size is {size!r}: give height x width in pixels, such as 520x696")
    return float(int(parts[0]) * int(parts[1]))


def _pairs(project: Any, target: Any) -> float:
    """Pairs of a test field and a test compound that retrieval ranks: all methods, both directions, all splits."""
    splits = project.loader["parameters"]["splits"]
    share = 1 - float(splits["train"]) - float(splits["validation"])
    methods = len(project.globals["models"]) + 1
    return 2 * methods * len(project.globals["splits"]) * share**2 * target.fields * target.compounds


def _epochs(project: Any) -> float:
    """How often trainings see each field: over all epochs, image models and splits, with pre-trainings."""
    from cloome_kedro.study_models import study_models

    parameters = project.loader["parameters"]
    share = float(parameters["splits"]["train"])
    seen = 0.0
    for model in study_models(project.globals["models"], parameters["models"]):
        if model.sees_images:
            entry = parameters["models"][model.name]
            pretrain = entry.get("pretrain") or {}
            seen += share * (entry["fit"]["epochs"] + pretrain.get("fit", {}).get("epochs", 0))
    return seen * len(project.globals["splits"])


def _calibrated(project: Any, epochs: float, compounds: float, assays: float) -> Any:
    from cloome_kedro.calibration import calibrate
    from cloome_kedro.parameters import IngestionParameters, ModelParameters
    from cloome_kedro.registry import load_modules
    from cloome_kedro.study_models import study_models

    load_modules(project.globals.get("modules", []))
    parameters = project.loader["parameters"]
    first = study_models(project.globals["models"], parameters["models"])[0]
    model = ModelParameters.model_validate(parameters["models"][first.name]) if first.sees_images else None
    ingestion = IngestionParameters.model_validate(parameters["ingestion"])
    return calibrate(ingestion, model, epochs, compounds, assays)
