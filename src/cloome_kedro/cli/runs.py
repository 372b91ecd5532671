"""``cloome runs``: list the recorded trainings, or compare two of them."""

from typing import Any

import click


@click.command()
@click.argument("names", metavar="[RUN RUN]", nargs=-1)
@click.option("--env", "-e", default="local", show_default=True, help="Environment whose screen is read.")
@click.option("--model", help="List only runs of this model.")
@click.option("--split", help="List only runs on this split.")
@click.option("--last", type=click.IntRange(min=1), help="List only the latest runs.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def command(
    names: tuple[str, ...], env: str, model: str | None, split: str | None, last: int | None, form: str
) -> None:
    """List trainings, the latest first, with their best validation metric and their test metric.

    With two RUNs, show the parameters in which they differ, and their results. A RUN is the name in the first column,
    or its beginning.
    """
    from cloome_kedro.cli.project import Project
    from cloome_kedro.run_store import read_runs
    from cloome_kedro.run_tables import difference, final_metrics, run_list

    project = Project.find(env)
    labels = project.globals["models"]
    runs = read_runs(project.place("run_store").parent)
    if runs.empty:
        raise ValueError(
            f"no training of the screen {project.globals['screen']} is recorded yet: run a study, or give --env NAME"
        )
    if len(names) not in (0, 2):
        raise ValueError(f"{len(names)} runs are given: name two runs to compare them, or none to list all")
    if names:
        chosen = [_find(name, runs) for name in names]
    else:
        shown = runs[(runs["model"] == (model or runs["model"])) & (runs["split"] == (split or runs["split"]))]
        if shown.empty:
            raise ValueError(f"no run has the model {model or 'of any name'} and the split {split or 'of any name'}")
        chosen = shown.tail(last or len(shown)).to_dict(orient="records")
    metrics = {
        run["run"]: final_metrics(
            run,
            labels.get(run["model"], run["model"]),
            lambda dataset, run: project.place(dataset, run["variant"], run["seed"]),
        )
        for run in chosen
        if run["step"] != "pre-training"
    }
    if names:
        _print(difference(chosen[0], chosen[1], metrics), form)
    else:
        _print(run_list(shown.tail(last or len(shown)), metrics), form)


def _find(name: str, runs: Any) -> dict[str, Any]:
    """The run of a name, or of its beginning."""
    found = runs[runs["run"].str.startswith(name)].to_dict(orient="records")
    if len(found) != 1:
        few = ", ".join(run["run"] for run in found[:5]) or "none"
        raise ValueError(f"{len(found)} runs begin with {name!r} ({few}): `cloome runs` lists the names")
    return found[0]


def _print(table: Any, form: str) -> None:
    if form == "csv":
        click.echo(table.to_csv(index=False), nl=False)
    elif form == "json":
        click.echo(table.to_json(orient="records", force_ascii=False, indent=1))
    else:
        texts = table.astype(object).where(table.notna(), "")
        for name in table.select_dtypes("float"):
            texts[name] = table[name].map("{:.3g}".format).where(table[name].notna(), "")
        click.echo(texts.to_string(index=False))
