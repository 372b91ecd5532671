"""``cloome new-screen``: describe a screen, so that its study runs without a file that is written by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cloome_kedro.cli.options import FiniteFloat, Variadic

FILES = ("globals.yml", "catalog.yml", "parameters.yml")
TABLE = click.Path(exists=True, dir_okay=False, path_type=Path)
_RESERVED = ("base", "local")
#: options that only a screen with images has, and those that only one of tables of profiles has
_OF_IMAGES = (
    *("--channels", "--bit-depth", "--plate", "--platemap", "--compounds", "--controls", "--solvent", "--size"),
    "--nucleus-diameter",
)
_OF_PROFILES = ("--column",)


class NewScreen(Variadic):
    """The command: options with tables can have several values."""

    variadic = ("--tables",)


class Asker:
    """Ask what cannot be known, or take the proposals."""

    def __init__(self, yes: bool):
        self.yes, self.questions = yes, 0

    def ask(self, text: str, proposal: str, check: Callable[[str], Any] = str) -> Any:
        """Ask for a text. ``check`` converts the answer; the question is repeated while it raises a ValueError."""
        if self.yes:
            return check(proposal)
        self.questions += 1
        while True:
            answer = click.prompt(click.style("? ", bold=True) + text, default=proposal, show_default=bool(proposal))
            try:
                return check(str(answer).strip())
            except ValueError as error:
                click.echo(f"  {error}")

    def confirm(self, text: str) -> bool:
        """Ask a question whose proposal is yes."""
        if self.yes:
            return True
        self.questions += 1
        return click.confirm(click.style("? ", bold=True) + text, default=True)


@click.command(cls=NewScreen, short_help="Describe a screen")
@click.argument("name")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER...")
@click.option("--tables", multiple=True, type=click.Path(path_type=Path), help="Folders or files of further tables.")
@click.option("--yes", "-y", is_flag=True, help="Take all proposals, without questions.")
@click.option("--replace", is_flag=True, help="Replace the description of a screen that has this name.")
@click.option("--layout", help="Layout of the images. The default is recognised by the names of the files.")
@click.option("--pattern", help="Regular expression of the paths of images, for the layout `pattern`.")
@click.option("--channels", help="Channels by their names in the files, such as 1=DNA,2=ER,3=RNA,4=AGP,5=Mito.")
@click.option("--bit-depth", type=click.Choice(["8", "12", "16"]), help="Bit depth of the images.")
@click.option("--plate", help="Name of the one plate from which all images are; '' if folders are plates.")
@click.option("--platemap", type=TABLE, help="Table with the compounds of the wells.")
@click.option("--compounds", type=TABLE, help="Table with the structures of compounds.")
@click.option("--controls", help="Ids or names of controls, separated by commas.")
@click.option("--unit", type=click.Choice(["nM", "uM", "mM"]), help="Unit of concentrations whose column names none.")
@click.option("--solvent/--no-solvent", default=None, help="Count DMSO as a compound if there are only two others.")
@click.option("--labels", type=TABLE, help="Table of labels of assays.")
@click.option("--threshold", type=FiniteFloat(), help="Values of labels from which a compound is active.")
@click.option("--size", nargs=2, type=click.IntRange(min=8), help="Stored height and width in pixels.")
@click.option(
    "--nucleus-diameter", type=FiniteFloat(min=0, min_open=True), help="Diameter of nuclei in pixels of stored fields."
)
@click.option("--column", multiple=True, help="Column of a table of profiles, such as plate=Run.")
@click.option("--title", help="Title of the report.")
def command(*, name: str, folders: tuple[Path, ...], yes: bool, replace: bool, **given: Any) -> None:
    """Look at folders of a screen, and write conf/NAME, which describes it.

    Each FOLDER has images with one layout, or tables of profiles; with several, each is a source. Tables with the
    compounds of the wells are found in them, or in what --tables names. The command asks only what it cannot know.
    Nothing is changed in the folders.
    """
    from kedro.utils import find_kedro_project

    from cloome_kedro.cli.new_screen_parts import describe_images, describe_profiles, find_sources
    from cloome_kedro.parameters.base import checked_name

    project = find_kedro_project(Path.cwd())
    if project is None:
        raise ValueError(f"{Path.cwd()} is in no project: run the command in the folder of the project")
    checked_name(name)
    environment = project / "conf" / name
    if name in _RESERVED:
        raise ValueError(f"conf/{name} belongs to the project: choose another name for the screen")
    if (there := [file for file in FILES if (environment / file).exists()]) and not replace:
        raise ValueError(
            f"conf/{name} is already there ({', '.join(there)}): choose another name, or give --replace to replace it"
        )
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"there is no folder {folder}")
    asker = Asker(yes)
    absolute = [folder.absolute() for folder in folders]
    sources = find_sources(absolute, given)
    kind, others = ("images", _OF_PROFILES) if sources else ("no images", _OF_IMAGES)
    if useless := [name for name in others if given[name.strip("-").replace("-", "_")] not in (None, ())]:
        raise ValueError(f"{useless[0]} has no effect, because the folders have {kind}: leave it out")
    describe = describe_images if sources else describe_profiles
    files, notes, can_run = describe(name, absolute, sources, asker, given)
    for note in notes:
        click.secho(f"! {note[:1].upper() + note[1:]}.", fg="yellow")
    write(project, name, files)
    _finish(name, list(files), asker, can_run)


def write(project: Path, name: str, files: dict[str, str]) -> None:
    """Write the files of an environment, after a check of the whole configuration.

    The table of compounds of a replaced description is removed if the new one has none.

    Raises
    ------
    ValueError
        If the configuration has an error. Nothing is then left in the folder.
    """
    import tempfile

    from cloome_kedro.atomic import replace_file
    from cloome_kedro.cli.project import quiet_kedro
    from cloome_kedro.imaging.discovery.screen import COMPOUNDS, path_of_compounds

    with quiet_kedro(), tempfile.TemporaryDirectory() as folder:
        _check(project, name, files, Path(folder))
    replaced = project / "conf" / name / "parameters.yml"
    # a table that the replaced description does not name is one of the user
    if COMPOUNDS not in files and replaced.exists() and path_of_compounds(name) in replaced.read_text(encoding="utf-8"):
        (project / "conf" / name / COMPOUNDS).unlink(missing_ok=True)
    for file, text in files.items():
        with replace_file(project / "conf" / name / file) as part:
            part.write_text(text, encoding="utf-8")


def _check(project: Path, name: str, files: dict[str, str], folder: Path) -> None:
    """Check a configuration as a run does."""
    import shutil

    from cloome_kedro.config_loader import ConfigLoader
    from cloome_kedro.parameters.checks import check_globals, check_parameters, check_run_names
    from cloome_kedro.settings import CONFIG_LOADER_ARGS

    shutil.copytree(project / "conf" / "base", folder / "base")
    for file, text in files.items():
        path = folder / name / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    options: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
    loader = ConfigLoader(str(folder), env=name, **options)
    environment = check_globals(loader["globals"])
    names = check_run_names({}, environment)
    check_parameters(loader["parameters"], environment, names, [], lambda setting: f"conf/{name}, {setting}")


def _finish(name: str, files: list[str], asker: Asker, can_run: bool) -> None:
    from cloome_kedro.words import counted

    click.echo(f"\nconf/{name} is written: {', '.join(files)}. {counted(asker.questions, 'question')} asked.")
    click.echo("Next:")
    click.echo(f"  cloome check-screen {name}   # wells, compounds, labels, time and disk")
    click.echo(f"  kedro run --env {name}" + ("" if can_run else " --pipelines ingestion"))
    if can_run:
        click.echo(f"The report will be data/08_reporting/{name}/default/seed_0/report.html")
