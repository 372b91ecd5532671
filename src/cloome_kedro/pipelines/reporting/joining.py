"""Node that joins all parts into the report."""

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters, StudyParameters


def write_report(
    *,
    data_text,
    supplement_text,
    later_parts,
    study: StudyParameters,
    reporting: ReportingParameters,
    retrieval: RetrievalParameters,
    seed: int,
    fields_figure="",
    figure_1_text="",
    figure_1="",
    **parts,
):
    """Join all parts into one HTML file, save its tables, and format the main results as text for the terminal.

    Parameters
    ----------
    fields_figure, figure_1_text, figure_1
        Empty if the screen has no images.
    later_parts : dict of str to str
        HTML of other pipelines, by its paths. Parts about comparisons of models are taken. If the data report is among
        them, the report links to it.
    parts
        ``<split>_section`` and ``<split>_results`` of every split, the latter from
        :func:`~cloome_kedro.pipelines.reporting.results.gather_results`.

    Returns
    -------
    report (HTML), report_tables (name -> table), summary (text)
    """
    import pandas as pd
    from markupsafe import Markup

    from cloome_kedro.chemistry.splits import joined_folds
    from cloome_kedro.reporting import about
    from cloome_kedro.reporting.headline import headline
    from cloome_kedro.reporting.joint import format_results, joint_metrics, joint_tables
    from cloome_kedro.reporting.report import embed, link_documentation, render_report
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.web_tables import link_tables

    look = Look(note=study.note, models=study.models, reference=study.reference_label)
    splits = by_split(parts, "results")
    metrics_by_split = {split: results["metrics"] for split, results in splits.items()}
    config = about.config_of_first_model(splits, study.models)
    metrics = pd.concat(metrics_by_split, ignore_index=True)
    joint = joint_metrics(metrics, joined_folds(metrics_by_split), retrieval.confidence)
    study_facts = about.facts_of_study(
        study.screen, study.simulated, study.models, study.reference_label, list(metrics_by_split), seed
    )
    writing = about.facts_of_writing()
    page = render_report(
        by_split(parts, "section"),
        embed(data_text + figure_1_text, {"fields": fields_figure, "figure_1": figure_1}),
        supplement_text,
        look,
        comparisons={
            path.removesuffix(".html").rpartition("comparison_")[2]: Markup(part)
            for path, part in later_parts.items()
            if "/comparison_" in path
        },
        has_data_report="data_report.html" in later_parts,
        title=reporting.title,
        fold=retrieval.fold,
        confidence=retrieval.confidence,
        joint=joint_tables(joint, look),
        facts={name: study_facts[name] for name in ("screen", "model of this report", "seed")}
        | {name: writing[name] for name in ("written", "git commit")},
        run={
            "Study": study_facts,
            "First model": about.facts_of_model(config) if config else {},
            "Retrieval": {name.replace("_", " "): _text(value) for name, value in retrieval.model_dump().items()},
            "This report": writing,
        },
        cards=[
            card
            for results in splits.values()
            for card in headline(results["metrics"], results["differences"], look, retrieval.fold, retrieval.confidence)
        ],
    )
    report, tables = link_tables(link_documentation(page, reporting.documentation))
    return report, tables, format_results(metrics, joint, look, retrieval.confidence, retrieval.fold)


def _text(value) -> str:
    """Format the value of a parameter."""
    values = value if isinstance(value, list) else [value]
    return ", ".join("none" if each is None else str(each) for each in values)


def by_split(parts, kind: str) -> dict:
    """Select the parts ``<split>_<kind>``, by split."""
    return {name.removesuffix(f"_{kind}"): part for name, part in parts.items() if name.endswith(f"_{kind}")}
