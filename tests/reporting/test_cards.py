"""Model card and data card: what they say comes from the tables, and names are shown as they are."""

import re
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from markdown_it import MarkdownIt

from cloome_kedro.parameters import CardParameters
from cloome_kedro.pipelines.reporting import create_pipeline
from cloome_kedro.reporting import cards
from cloome_kedro.reporting.headline import Card
from hostile import ALL, NAMES, hostile_study
from report_run import PARAMETERS, handed_over
from synthetic_study import STUDY, make_study


def written(studies, images=True, **parameters):
    """The two cards of some studies, by the names of their splits."""
    given = PARAMETERS | {f"params:{name}": value for name, value in parameters.items()} | handed_over(studies)
    pipeline = create_pipeline(list(studies), images=images)
    (node,) = (node for node in pipeline.nodes if node.short_name == "write_cards")
    made = node.run({name: given[name] for name in node.inputs})
    return made["model_card"], made["data_card"]


@pytest.fixture(scope="module")
def studies():
    return {"random": make_study("random"), "scaffold": make_study("scaffold", noise=3.0)}


@pytest.fixture(scope="module")
def both(studies):
    stated = CardParameters(data_licence="CC0-1.0", data_source="Our lab, 2026", model_licence="MIT", contact="me@lab")
    return written(studies, cards=stated)


def head(card):
    """The metadata of a card."""
    return yaml.safe_load(re.match(r"---\n(.*?)^---\n", card, re.DOTALL | re.MULTILINE)[1])


def rows(card, first):
    """The table whose first column has this name, as lists of cells."""
    found = re.search(rf"^\| {re.escape(first)} \|.*\n\|[-|]+\n((?:\|.*\n?)+)", card, re.MULTILINE)
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in found[1].splitlines()]


def test_metadata_is_that_of_the_hub(both):
    model, data = map(head, both)
    assert model["license"] == "mit"
    assert model["library_name"] == "cloome-kedro"
    (index,) = model["model-index"]
    assert index["name"] == "CLOOME"
    for result in index["results"]:
        assert {*result} == {"task", "dataset", "metrics"}
        assert {*result["task"]} == {"type", "name"}
        assert {*result["dataset"]} == {"type", "name", "split"}
        assert all({*metric} == {"type", "name", "value"} and 0 <= metric["value"] <= 1 for metric in result["metrics"])
    assert data["license"] == "cc0-1.0"
    assert data["size_categories"] == ["n<1K"]
    assert "simulated" in data["tags"]


def test_results_are_those_of_the_metrics(both, studies):
    metrics = studies["random"]["metrics"].query("images == 'clean' and metric == 'top-1' and pool == 'sampled'")
    wanted = metrics[
        (metrics["method"] == "CLOOME")
        & (metrics["task"] == "retrieval")
        & (metrics["direction"] == "image to compound")
        & (metrics["draws"] == metrics["draws"].max())
        & (metrics["shown_by"] == "field")
    ].iloc[0]
    (row,) = (row for row in rows(both[0], "result") if row[0].strip() == "Image → compound")
    percent = [f"{100 * wanted[name]:.1f} %" for name in ("value", "low", "high", "chance")]
    assert row[1].strip() == f"{percent[0]} ({percent[1]} to {percent[2]})"
    assert row[2].strip() == percent[3]
    value = head(both[0])["model-index"][0]["results"][0]["metrics"][0]["value"]
    assert value == pytest.approx(wanted["value"], abs=1e-4)


def test_numbers_of_the_screen(both, studies):
    study = studies["random"]
    counts = {row[0].strip(): row[1].strip() for row in rows(both[1], "")}
    assert counts["fields"] == f"{len(study['fields']):,}"
    assert counts["fields rejected"] == str(len(study["rejected_fields"])) == "2"
    assert counts["fields of control wells"] == str(study["fields"]["control"].sum())
    plates = {row[0].strip(): row[1].strip() for row in rows(both[1], "per plate")}
    assert plates["control wells"] == str(study["fields"][study["fields"]["control"]].groupby("plate").size().min())
    folds = {tuple(cell.strip() for cell in row) for row in rows(both[1], "split")}
    examples = study["examples"].query("fold == 'test'")
    assert ("random", "test", str(examples["inchikey"].nunique()), str(len(examples)), "2") in folds
    assert "channel DNA is all black" in both[1]


def test_what_is_stated_and_what_is_not(both, studies):
    for card in both:
        assert "licence of the model: MIT" in card or "licence: CC0-1.0" in card
        assert "contact: me@lab" in card
    assert "source: Our lab, 2026" in both[1]
    for card in written(studies):
        assert "not stated" in card
        assert head(card)["license"] == "unknown"
        assert "simulated" in card
    assert "source: simulated by cloome-kedro" in written(studies)[1]
    real = written(studies, study=STUDY.model_copy(update={"simulated": False}))
    assert "simulated" not in "".join(real)
    assert "source: not stated" in real[1]


def test_a_model_without_epochs_and_a_screen_without_images(studies):
    """The first model can be a ridge, whose checkpoint has no architecture."""
    config = {"kind": "ridge", "views": {"field": {"name": "profiles"}}, "split_hash": "1"}
    checkpoints = studies["random"]["checkpoints"] | {"cloome": SimpleNamespace(config=config)}
    study = studies["random"] | {"replicate_metrics": None, "checkpoints": checkpoints}
    model, data = written({"random": study}, images=False)
    assert "has no training in epochs" in model
    assert "```" not in model
    assert "images: none" in data


def test_a_published_model_says_that_its_training_is_unknown(studies):
    study = make_study("random")
    study["checkpoints"]["cloome"].config["split_hash"] = "unknown"
    assert "trained elsewhere" in written({"random": study})[0]
    assert "trained elsewhere" not in written(studies)[0]


@pytest.mark.parametrize("name", [NAMES[0], NAMES[-4], ALL], ids=repr)
def test_names_are_shown_as_they_are(name):
    study, models = hostile_study(name)
    parameters = STUDY.model_copy(update={"models": models})
    stated = CardParameters(data_source=name, contact=name)
    for card in written({"random": study}, study=parameters, cards=stated):
        metadata = head(card)
        if "model-index" in metadata:
            assert metadata["model-index"][0]["name"] == " ".join(cards._clean(next(iter(models.values()))).split())
        body = card.partition("\n---\n\n")[2]
        page = MarkdownIt("commonmark").enable("table").render(body)
        tags = set(re.findall(r"<(\w+)", page))
        assert tags <= {*("h1", "h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"),
                        *("strong", "a", "code", "pre")}  # fmt: skip
        assert set(re.findall(r'href="([^"]+)"', page)) <= {"https://doi.org/10.1038/s41467-023-42328-w"}
        assert page.count("<strong>") == 1


def test_a_card_without_a_result_says_why():
    table = cards.result_table([Card.without_result("Retrieval", "random", "1 test compound")])
    assert table.loc[0, "value"] == "1 test compound"
    assert table.loc[0, "chance"] == ""
    (index,) = cards.model_index("m", "s", "test", {"random": [Card.without_result("Retrieval", "random", "none")]})
    assert index["results"] == []


def test_candidate_sets_of_other_models_and_kinds_are_left_out():
    row = {"method": "A", "kind": "first k", "shown_by": "field", "direction": "image to compound", "level": 0.9}
    row |= {"size_mean": 12.0, "candidates": 1280.0, "coverage": 0.889, "low": 0.84, "high": 0.93}
    others = [{"method": "B"}, {"kind": "adaptive"}, {"shown_by": "mean"}, {"direction": None}, {"coverage": None}]
    table = cards.certainty_table(pd.DataFrame([row, *(row | other for other in others)]), "A")
    assert table.to_numpy().tolist() == [["image → compound", "90 %", "12 of 1,280", "88.9 % (84.0 to 93.0)"]]
