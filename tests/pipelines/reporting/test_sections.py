"""Parts of a split's section."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.pipelines.reporting import create_split_pipeline
from cloome_kedro.pipelines.reporting.sections import HEADINGS, put_in_figures, write_section
from report_run import PARAMETERS, datasets_of, run_node, search_part
from synthetic_study import MODELS, STUDY, make_study


@pytest.fixture
def study():
    return make_study()


def run(name, study, models=MODELS):
    """What a node of the random split gives, by the names of datasets without the split."""
    pipeline = create_split_pipeline("random", list(models), True)
    given = PARAMETERS | {"params:study": STUDY.model_copy(update={"models": models})}
    found = run_node(pipeline, name, given | datasets_of("random", study, models))
    return {dataset.removeprefix("random."): value for dataset, value in found.items()}


def test_every_text_names_its_own_figures_and_no_others(study):
    for name in ("training", "retrieval", "zero_shot", "probing", "corruption", "embeddings"):
        found = run(f"describe_{name}", study)
        (part,) = (value for dataset, value in found.items() if dataset.endswith("_text"))
        figures = [dataset.removesuffix("_figure") for dataset in found if dataset.endswith("_figure")]
        assert sorted(re.findall(r'src="figure:(\w+)"', part)) == sorted(figures), name


def test_a_model_that_was_not_trained_here_has_no_curves(study):
    study["histories"]["cloome"] = study["histories"]["cloome"].iloc[:0]
    found = run("describe_training", study)
    assert "not trained here" in found["training_text"]
    assert "figure:" not in found["training_text"]
    assert "not trained here" in found["training_curves_figure"].texts[0].get_text()
    assert re.search(r'<tr><th scope="row">Bilinear</th>.*>20</td>', found["training_text"])


def test_training_without_two_validation_compounds_is_described(study):
    study["histories"] = {name: table.filter(regex="^(?!validation_)") for name, table in study["histories"].items()}
    found = run("describe_training", study)
    assert "was kept. The median speed was" in found["training_text"]
    assert 'src="figure:training_curves"' in found["training_text"]


def test_a_pre_training_is_described(study):
    history = pd.DataFrame({"epoch": [0, 1, 2], "validation_loss": [0.9, 0.612, 0.7], "best": [False, True, False]})
    pipeline = create_split_pipeline("random", list(MODELS), True, pretrained=["cloome"])
    datasets = PARAMETERS | datasets_of("random", study, MODELS) | {"random.cloome.pretraining_history": history}
    text = run_node(pipeline, "describe_training", datasets)["random.training_text"]
    assert re.search(
        r"<h4>Pre-training</h4>.*<tr[^>]*><th[^>]*>CLOOME</th>\s*<td[^>]*>3</td>\s*<td[^>]*>1</td>\s*<td[^>]*>0.612</td>",
        text,
        re.S,
    )
    assert "Pre-training" not in run("describe_training", study)["training_text"]
    datasets["random.cloome.pretraining_history"] = history.iloc[:0]
    assert "Pre-training" not in run_node(pipeline, "describe_training", datasets)["random.training_text"]


@pytest.mark.parametrize("name", ["retrieval", "zero_shot", "probing"])
def test_differences_are_those_of_the_first_model(study, name):
    """A first model that a task was not asked of leaves them to the next one, which is not what the report is about."""
    heading = "<h4>{} minus other methods"
    assert heading.format("CLOOME") in run(f"describe_{name}", study)[f"{name}_text"]
    other = run(f"describe_{name}", study, dict(reversed(MODELS.items())))[f"{name}_text"]
    assert heading.format("Bilinear") not in other
    assert "minus other methods" not in other


def test_one_test_compound_is_too_few_for_a_map(study):
    examples = study["examples"]
    first = examples.query("fold == 'test'")["inchikey"].iloc[0]
    keep = (examples["fold"] != "test") | (examples["inchikey"] == first)
    study["examples"] = examples.assign(fold=examples["fold"].where(keep, "train"))
    found = run("describe_embeddings", study)
    assert found["embedding_text"].strip() == "<p>Too few to draw: 2 fields of 1 test compound.</p>"
    for name in ("embedding_map_figure", "modality_gap_figure"):
        assert "Too few" in found[name].texts[0].get_text()


def test_embeddings_of_another_length_have_the_same_map(study):
    """The gap is one of directions."""
    part = run("describe_embeddings", study)["embedding_text"]
    for name in ("field_embeddings", "compound_embeddings"):
        longer = study[name].vectors * np.linspace(1, 9, len(study[name].keys))[:, None]
        meta = study[name].meta | {"normalised": False}
        study[name] = dataclasses.replace(study[name], vectors=longer, meta=meta)
    assert run("describe_embeddings", study)["embedding_text"] == part
    assert "56 fields of 28 test compounds" in part


def test_fields_without_an_embedding_are_left_out(study):
    whole = study["field_embeddings"]
    kept = ~np.isin(whole.keys, study["examples"].query("fold == 'test'")["field_id"].iloc[:3])
    study["field_embeddings"] = Embeddings(whole.keys[kept], whole.vectors[kept], whole.meta)
    assert "53 fields of 28 test compounds" in run("describe_embeddings", study)["embedding_text"]


def test_a_search_on_other_folds_is_left_out(study):
    part, other = search_part(study), search_part(make_study("scaffold"))
    path = "random/default/tuning.html"
    found = write_section(study["examples"], {path: part, "default/comparison.html": "-"}, STUDY, training_part="<p>")
    assert 'id="random-hyperparameter-search" open>\n<summary><h3>Hyperparameter search</h3>' in found
    assert part in found
    left = write_section(study["examples"], {path: other}, STUDY, training_part="<p>")
    assert "Hyperparameter" not in left
    assert left == write_section(study["examples"], {"scaffold/default/tuning.html": part}, STUDY, training_part="<p>")
    assert left == write_section(study["examples"], {}, STUDY, training_part="<p>")


def test_parts_stand_in_one_order_and_empty_ones_are_left_out(study):
    parts = {f"{name}_part": f"<p>{name}</p>" for name in reversed(HEADINGS) if name not in ("tuning", "corruption")}
    section = write_section(study["examples"], {}, STUDY, **parts, corruption_part="")
    assert re.findall("<h3>(.*?)</h3></summary>\n<p>(.*?)</p>", section) == [
        (heading, name) for name, heading in HEADINGS.items() if name not in ("tuning", "corruption")
    ]
    assert re.findall('<a href="#random-(.*?)">', section) == re.findall('id="random-(.*?)" open>', section)


def test_figures_are_put_in_and_a_missing_one_is_named():
    text = '<img src="figure:assay_auc" alt="">'
    assert put_in_figures(text, assay_auc_figure="data:,a") == '<img src="data:,a" alt="">'
    with pytest.raises(KeyError, match="assay_auc"):
        put_in_figures(text, embedding_map_figure="data:,b")
