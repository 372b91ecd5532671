"""``cloome check-screen``: what is complete in a screen and what it will cost, before hours of ingestion."""

import click


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Check the screen of the environment NAME in seconds, before it is ingested.

    It is `cloome run --env NAME --pipelines inspect`. The exit status is 2 if there are errors.
    """
    import logging

    from kedro.io import DatasetError

    from cloome_kedro.cli import Mistake, configure, one_line
    from cloome_kedro.cli.project import Project

    project = Project.find(name)
    summary = project.place("screen_check_summary")
    summary.unlink(missing_ok=True)
    problem: Exception | None = None
    logging.disable(logging.ERROR)  # the summary has it all
    try:
        from kedro.framework.session import KedroSession

        configure()
        with KedroSession.create(project_path=project.folder, env=name) as session:
            session.run(pipeline_names=["inspect"])  # type: ignore[call-arg]
    except (ValueError, OSError, DatasetError) as error:
        problem = error
    finally:
        logging.disable(logging.NOTSET)
    text = summary.read_text(encoding="utf-8") if summary.is_file() else ""
    if problem is not None and "\nERROR " in text:
        click.echo(text)  # without errors, it is printed at the end of the run
        raise click.exceptions.Exit(2)
    if problem is not None:
        raise Mistake(one_line(problem)) from problem
