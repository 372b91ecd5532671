"""Node that describes how sure the answers of a split are.

Arguments that are tables have the names of their schemas in :mod:`cloome_kedro.schemas`.
"""

from cloome_kedro.parameters import StudyParameters, UncertaintyParameters


def describe_uncertainty(
    *,
    examples,
    candidate_sets,
    answered,
    softmax_calibration,
    probe_calibration,
    familiarity,
    study: StudyParameters,
    uncertainty: UncertaintyParameters,
):
    """Describe candidate sets, accuracy of confident answers, calibration and familiarity.

    Returns
    -------
    uncertainty_text, answer_certainty_figure
    """
    import pandas as pd

    from cloome_kedro.reporting import uncertainty_tables as tables
    from cloome_kedro.reporting.report import render
    from cloome_kedro.reporting.style import Look
    from cloome_kedro.reporting.uncertainty_figures import answer_certainty

    look = Look(f"{examples['split'].iloc[0]} split", study.note, study.models)
    calibrations = [table for table in (softmax_calibration, probe_calibration) if len(table)]
    part = render(
        "uncertainty.html.j2",
        look,
        confidence=uncertainty.confidence,
        reasons=tables.reasons(candidate_sets),
        sentences=tables.sentences(candidate_sets, look),
        caption=(
            f"Retrieval with one field per compound. Above: how often {look.model} lists the true candidate, by how"
            f" often it should. Lines: exact {100 * uncertainty.confidence:g} % intervals over test compounds. Below:"
            f" accuracy if only the most confident queries are answered, with the interval of {look.model}."
        ),
        sets=tables.set_table(candidate_sets, look),
        others=tables.set_comparison(candidate_sets, look),
        answered=tables.answered_table(answered, look),
        calibration=tables.calibration_table(pd.concat(calibrations), look) if calibrations else pd.DataFrame(),
        familiarity=tables.familiarity_table(familiarity, look),
    )
    return part, answer_certainty(candidate_sets, answered, look)
