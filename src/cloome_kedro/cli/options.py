"""Options that several commands have: which index is asked, and how results are written."""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

FORMATS = ("table", "csv", "json")


def index_options(function: Callable) -> Callable:
    """Add the options that choose an index. The function gets the folder as ``folder``."""

    @click.option("--index", "index_folder", type=click.Path(path_type=Path), help="Folder of an index.")
    @click.option("--split", help="Split of the model. The default is the first of the environment.")
    @click.option("--model", help="Model of the study, such as fusion. The default is the first.")
    @click.option("--env", "-e", default="local", show_default=True, help="Environment of the study.")
    @click.option("--variant", help="Variant of the study.")
    @click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the study.")
    @functools.wraps(function)
    def with_index(
        index_folder: Path | None,
        split: str | None,
        model: str | None,
        env: str,
        variant: str | None,
        seed: int,
        **options: Any,
    ) -> Any:
        if index_folder is None:
            index_folder = find_index(split, model, env, variant, seed)
        elif split or model or variant:
            raise ValueError("--index names one index: leave out --split, --model and --variant")
        return function(folder=index_folder, **options)

    return with_index


def find_index(split: str | None, model: str | None, env: str, variant: str | None, seed: int) -> Path:
    """Folder of the index of a model in the project of the current folder.

    Raises
    ------
    ValueError
        If the split or the model is unknown, or its index is not built. The message says which there are.
    """
    from cloome_kedro.cli.project import Project

    project = Project.find(env)
    splits, models = list(project.globals["splits"]), dict(project.globals["models"])
    by_label = {label.casefold(): name for name, label in models.items()}
    model = by_label.get(model.casefold(), model) if model else next(iter(models))
    split = split or splits[0]
    for what, name, known in (("split", split, splits), ("model", model, list(models))):
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; the {what}s of the study are: {', '.join(known)}")
    folder = project.place(f"{split}.{model}.index", variant, seed)
    if not (folder / "index.json").is_file():
        built = [
            f"{other} ({of_split})"
            for of_split in splits
            for other in models
            if (project.place(f"{of_split}.{other}.index", variant, seed) / "index.json").is_file()
        ]
        found = f"There are indexes of: {', '.join(built)}" if built else "No index of this study is built"
        run = f"cloome run --pipelines index{'' if env == 'local' else f' --env {env}'}"
        raise ValueError(f"the model {model} of the split {split} has no index in {folder}. {found}. Run `{run}` first")
    return folder


class FiniteFloat(click.FloatRange):
    """A number, perhaps in a range. Unlike a float of click, it is neither NaN nor infinite."""

    name = "float"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Convert the text of an option."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number

    def _describe_range(self) -> str:
        """Range for the help. Of a number without limits, click would write ``x<=None``."""
        return "" if self.min is None and self.max is None else super()._describe_range()


class Variadic(click.Command):
    """A command whose options can have several values: ``--image A B C`` is ``--image A --image B --image C``.

    Values end at the next argument that begins with ``-``.
    """

    variadic: tuple[str, ...] = ("--image", "--plates")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its values."""
        repeated: list[str] = []
        option, is_first = "", True
        for argument in args:
            if argument.startswith("-"):
                option, is_first = argument, True
                repeated.append(argument)
            else:
                if option in self.variadic and not is_first:
                    repeated.append(option)
                is_first = False
                repeated.append(argument)
        return super().parse_args(ctx, repeated)
