"""``cloome query``: ask a model with a structure, images, a field or a compound."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cloome_kedro.cli.options import FORMATS, Variadic, index_options

if TYPE_CHECKING:
    from cloome_kedro.asking import Answer, Asker

KINDS = ("fields", "wells", "compounds")


@click.command(cls=Variadic)
@click.option("--smiles", help="A structure.")
@click.option("--image", "images", multiple=True, metavar="FILE...", help="The five channel files of one field.")
@click.option("--field", metavar="SCREEN/PLATE/WELL/SITE", help="A field of the screen.")
@click.option("--compound", metavar="NAME|INCHIKEY", help="A compound of the screen.")
@click.option("--for", "kind", type=click.Choice(KINDS), help="What is looked for.")
@click.option("--top", type=click.IntRange(min=1), default=20, show_default=True, help="Number of hits.")
@click.option("--where", help="Condition on columns, such as \"moa = 'MEK inhibitor' AND NOT control\".")
@click.option("--plate", help="Plate of the screen with which the images were made.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
@click.option("--gallery", type=click.Path(path_type=Path), help="Write pictures of the hits: FILE.png or FILE.html.")
@click.option("--device", default="auto", show_default=True, help="Device that embeds, such as cpu.")
@index_options
def command(*, folder: Path, top: int, where: str | None, form: str, gallery: Path | None, **given: Any) -> None:
    """Find what is most similar to a query.

    A structure or a compound finds fields, and images or a field find compounds, unless --for says otherwise. The index
    is that of the first split and model of the study, unless options name another one. Another model may be more
    accurate, such as --model fusion in the default study.
    """
    questions = {name: given[name] for name in ("smiles", "images", "field", "compound") if given[name]}
    if len(questions) != 1:
        raise ValueError("give exactly one of --smiles, --image, --field and --compound")
    if gallery is not None and gallery.suffix not in (".png", ".html"):
        raise ValueError(f"--gallery {gallery}: the name must end with .png or .html")
    if given["plate"] and not given["images"]:
        raise ValueError("--plate is for images: leave it out")
    from cloome_kedro.asking import Asker

    asker = Asker.open(folder, given["device"])
    answer = ask(asker, questions, given["kind"], top, where, given["plate"])
    from cloome_kedro.cli import answers

    info = asker.index.info
    click.echo(answers.formatted(answer, info, form))
    if form != "table":
        for line in answers.lines(answer, info):
            click.echo(line, err=True)
    chosen = click.get_current_context().params
    if not chosen["model"] and not chosen["index_folder"]:
        (question,) = questions
        if others := answers.other_models(info, question if question in info["accepts"] else None):
            click.echo(others, err=form != "table")
    if gallery is not None:
        answers.write_gallery(gallery, answer, asker.index)
        click.echo(f"pictures: {gallery}", err=form != "table")


def ask(
    asker: "Asker", question: dict[str, Any], kind: str | None, top: int, where: str | None, plate: str | None
) -> "Answer":
    """Ask with the one given option."""
    if "smiles" in question:
        return asker.by_smiles([question["smiles"]], kind or "fields", top, where)
    if "compound" in question:
        return asker.by_compound(question["compound"], kind or "fields", top, where)
    if "field" in question:
        return asker.by_field(question["field"], kind or "compounds", top, where)
    from cloome_kedro.cli.images import read_images

    images, text = read_images(question["images"])
    return asker.by_images(images, kind or "compounds", top, where, plate=plate, texts=[text])
