"""The part of a section that describes a hyperparameter search, whose node belongs to the pipeline ``tuning``."""

import re

import pytest

from cloome_kedro.parameters import StudyParameters
from report_run import Balanced, cells, search_part
from synthetic_search import make_search, make_tuned
from synthetic_study import make_study
from synthetic_tasks import nothing


@pytest.fixture(scope="module")
def study():
    return make_study()


@pytest.mark.parametrize(
    ("metric", "kept"),
    [
        ("top1", "task == 'retrieval' and pool == 'sampled' and direction == 'compound to image'"),
        ("zero_shot_moa_top1", "task == 'zero-shot MoA' and excluded == 'none' and pool == 'full'"),
        ("zero_shot_compound_top1", "task == 'zero-shot compound' and excluded == 'none' and pool == 'full'"),
        ("probing_auc", "task == 'probing'"),
    ],
)
def test_default_and_winner_stand_side_by_side_on_the_test_fold_of_the_searched_task(study, metric, kept):
    part = search_part(study, make_search(study["examples"], metric=metric))
    Balanced(part)
    kept += " and method == 'CLOOME' and images == 'clean' and metric in ['top-1', 'mean AUC'] and draws == 1"
    kept += f" and shown_by == '{'mean' if metric == 'probing_auc' else 'field'}'"
    default, winner = (table.query(kept).iloc[0] for table in (study["metrics"], make_tuned(study["metrics"])))
    assert winner["value"] == pytest.approx(min(default["value"] + 0.1, 1))

    def text(row):
        numbers = [row["value"], row["low"], row["high"]]
        if metric == "probing_auc":
            return "{:.3f} ({:.3f}–{:.3f})".format(*numbers)
        return "{:.1f} % ({:.1f}–{:.1f})".format(*(100 * number for number in numbers))

    found = [row for row in cells(part) if row[1:3] == [text(default), text(winner)]]
    assert [row[4:] for row in found] == [[f"{default['n']}", f"{default['compounds']}"]]
    assert "has not been trained" not in part
    assert "kedro run" not in part, "the winner was trained"
    assert "OutOfMemoryError: no memory is left" in part
    assert f"<code>{study['examples']['split_hash'].iloc[0]}</code>" in part
    assert len(re.findall('<img src="data:,"', part)) == 3


def test_the_metric_is_that_of_the_tuned_model(study):
    search = make_search(study["examples"], tunes="bilinear")
    part = search_part(study, search, make_tuned(study["metrics"], "Bilinear"))
    row = study["metrics"].query(
        "method == 'Bilinear' and direction == 'compound to image' and pool == 'full' and metric == 'top-1'"
        " and draws == 1 and shown_by == 'field'"
    ).iloc[0]  # fmt: skip
    assert any(cell.startswith(f"{100 * row['value']:.1f} % (") for line in cells(part) for cell in line[1:2])
    assert ", model bilinear" in part
    assert "kedro run" not in part


def test_a_winner_that_was_not_trained_on_these_folds_is_said_with_the_command(study):
    for tuned in (
        nothing({"metrics": study["metrics"]})["metrics"],
        make_tuned(make_study("scaffold")["metrics"]),
        make_tuned(study["metrics"], "Bilinear"),  # that of another model
    ):
        part = search_part(study, tuned=tuned)
        assert "<code>kedro run --pipelines tune_and_train,reporting</code>" in part
        row = next(row for row in cells(part) if row and row[0].startswith("top-1, image → compound"))
        assert "%" in row[1]
        assert row[2] == "–"


def test_a_default_model_of_other_folds_does_not_stand_beside_the_winner(study):
    other = study | {"metrics": make_study("scaffold")["metrics"]}
    row = next(
        row for row in cells(search_part(other, tuned=make_tuned(study["metrics"]))) if row and "top-1" in row[0]
    )
    assert row[1] == "–"
    assert "%" in row[2]


def test_importances_that_cannot_be_told_are_not_drawn(study):
    assert "fANOVA" in search_part(study)
    search = make_search(study["examples"])
    part = search_part(study, search | {"importances": search["importances"].iloc[:0]})
    assert "fANOVA" not in part
    assert len(re.findall('<img src="data:,"', part)) == 2


def test_a_model_has_its_label_in_the_study():
    """The search names the model by its entry, the metrics by its label."""
    models = {"profile": "Profile model"}
    study = make_study(models=models, sees_images=False)
    parameters = StudyParameters(screen="mine", simulated=False, models=models)
    search, tuned = make_search(study["examples"], tunes="profile"), make_tuned(study["metrics"], "Profile model")
    part = search_part(study, search, tuned, parameters)
    assert ", model profile" in part
    assert "kedro run" not in part
