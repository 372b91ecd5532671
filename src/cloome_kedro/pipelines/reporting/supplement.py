"""The node of the supplement. Tables are those of ``cloome_kedro.schemas``."""

from collections.abc import Sequence

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters

#: what the supplement is made of, of every split
METRICS = ("retrieval_metrics", "zero_shot_metrics", "probing_metrics", "corruption_metrics")
DIFFERENCES = ("retrieval_differences", "zero_shot_differences", "probing_differences", "corruption_differences")
TABLES = (*METRICS, *DIFFERENCES, "leaks")


def write_supplement(
    reporting: ReportingParameters, retrieval: RetrievalParameters, *tables, splits: Sequence[str]
) -> list:
    """Fill the publication's supplementary tables with what every split found, beside what was published.

    Parameters
    ----------
    tables : each of ``TABLES`` for every split

    Returns
    -------
    the tables in the order of :data:`cloome_kedro.reporting.sheets.SHEETS`, the audits, the report's section (HTML),
    and zero-shot classification and probing as text for the terminal
    """
    import pandas as pd

    from cloome_kedro.reporting.audits import audit_table
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.sheets import SHEETS
    from cloome_kedro.reporting.supplement import NOTHING, supplement_tables, whose_data
    from cloome_kedro.reporting.tasks_text import format_tasks

    by_name = {name: tables[i * len(splits) : (i + 1) * len(splits)] for i, name in enumerate(TABLES)}

    def joined(names):
        found = [table for name in names for table in by_name[name]]
        return pd.concat([table for table in found if len(table)] or found[:1], ignore_index=True)

    metrics = joined(METRICS)
    leaks = [table.assign(split=split) for split, table in zip(splits, by_name["leaks"], strict=True)]
    whose = whose_data(reporting.screen, reporting.simulated, reporting.published_screen)
    supplement = supplement_tables(metrics, whose)
    audits = audit_table(metrics, joined(DIFFERENCES), pd.concat(leaks, ignore_index=True), whose)
    ordered = [supplement[sheet.name] for sheet in SHEETS]
    section = render(
        "supplement.html.j2",
        whose=whose,
        tables=[found for found in ordered if NOTHING not in found.notes],
        missing=[found.title for found in ordered if NOTHING in found.notes],
    )
    return [*ordered, audits, section, format_tasks(metrics, reporting.simulated, retrieval.confidence)]
