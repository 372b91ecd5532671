"""No text of the user is parsed as a formula, HTML or Markdown: it is shown as it is."""

import importlib
import inspect
import pkgutil
import re
from functools import cache
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

import cloome_kedro.reporting
from cloome_kedro.evaluation.modality_gap import modality_gap
from cloome_kedro.evaluation.plate_quality import plate_deviations, position_means
from cloome_kedro.parameters import StudyParameters
from cloome_kedro.reporting import (
    comparison,
    corrections,
    corruption_figures,
    data_figures,
    embedding_figures,
    figures,
    gallery,
    hits,
    illumination,
    montage,
    plate_figures,
    probing_figures,
    profile_moa,
    structure_probing,
    tuning_figures,
    uncertainty_figures,
    zero_shot_figures,
)
from cloome_kedro.reporting.captioned import CaptionedTable
from cloome_kedro.reporting.images import encode
from cloome_kedro.reporting.style import Look, one_line
from hostile import ALL, NAMES, hostile_study
from report_run import Balanced, run_report
from synthetic_search import OBJECTIVE, make_search


@cache
def drawn(name):
    """Every figure of the package, by its function, with this name wherever a user can give one."""
    study, models = hostile_study(name)
    look = Look(name, name, models)
    read = montage.field_reader(study["plate_store"], study["fields"])
    names = study["pairs"].merge(study["compounds"], on="inchikey").set_index("field_id")["name"]
    vectors = np.random.default_rng(0).normal(size=(30, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = pd.Series([name, f"{name} 2", None] * 10)
    metrics, clean = study["metrics"], study["metrics"].query("images == 'clean'")
    search = make_search(study["examples"])
    trials = search["trials"].replace({OBJECTIVE: {"info_loob": name}})
    mechanisms = clean.query("task == 'zero-shot MoA' and pool == 'full'")
    mechanisms = mechanisms[mechanisms["excluded"].isin(["none", "plate"])]
    embeddings = study["field_embeddings"], study["compound_embeddings"]
    numbers = {"value": 0.4, "low": 0.3, "high": 0.5, "difference": 0.1, "difference_low": 0.0, "difference_high": 0.2}
    compared = pd.DataFrame({"split": name, "method": list(models.values()), "direction": "both", "metric": "top-1"})
    compared = compared.assign(**numbers, chance=0.01, candidates=100.0, seeds=2)
    effects = pd.DataFrame({"measure": [name, name], "method": [name, f"{name} 2"], "shown_by": None, "excluded": None})
    effects = effects.assign(**numbers, chance=0.1, compounds=9, against=name)
    referred = Look(name, name, models, reference=models["bilinear"])
    wells = hostile_wells(name)
    groups = pd.DataFrame({"method": [name, f"{name} 2"] * 2, "matches": ["replicates"] * 2 + ["mechanisms"] * 2})
    groups = groups.assign(group=name, value=0.5, chance=0.1, queries=2, p_value=0.01, corrected_p_value=0.01)
    labels_of_assays = pd.DataFrame({"inchikey": ["A", "B"], name: [1.0, None]})
    fields_of_plates = {name: read(study["fields"]["field_id"].iloc[:2])}
    numbers_of = pd.Series({name: 3, f"{name} 2": 2})
    return {
        "message": look.message(name),
        "plate_maps": plate_figures.plate_maps(wells, {name: name}, look),
        "plate_summary": plate_figures.plate_summary(plate_deviations(wells, ["cells"]), look),
        "position_figure": plate_figures.position_figure(position_means(wells, ["cells"]), look),
        "controls_over_plates": plate_figures.controls_over_plates(wells, NO_STATISTICS, look),
        "compound_figure": data_figures.compound_figure(numbers_of, numbers_of, numbers_of, look),
        "label_figure": data_figures.label_figure(labels_of_assays, look),
        "precision_figure": data_figures.precision_figure(groups, look),
        "illumination_figure": illumination.illumination_figure(
            EVENNESS.assign(plate=name), np.ones((2, 5, 4, 4)), look
        ),
        "example_fields": data_figures.example_fields(fields_of_plates, {name: [name, name]}, look),
        "rejected_figure": data_figures.rejected_figure(list(fields_of_plates[name]), [name, name], look),
        "add_title": look.add_title(Figure()),
        "training_curves": figures.training_curves(study["histories"]["cloome"], look),
        "rank_distribution": figures.rank_distribution(study["retrieval_ranks"], look),
        "top_k_bars": figures.top_k_bars(clean.query("task == 'retrieval'"), look),
        "zero_shot_accuracy": zero_shot_figures.zero_shot_accuracy(clean, look),
        "zero_shot_ranks": zero_shot_figures.zero_shot_ranks(study["zero_shot_ranks"], look),
        "draw_assays": structure_probing.draw_assays(
            study["probing_scores"].query("images == 'clean'"),
            pd.DataFrame({"method": [name], "assay": study["probing_scores"]["assay"].iloc[:1], "auc": [0.6]}),
            look,
        ),
        "assay_auc": probing_figures.assay_auc(study["probing_scores"], study["corrupted_probing_scores"], look),
        "corruption_effects": corruption_figures.corruption_effects(metrics, study["differences"], look),
        "corruption_ranks": corruption_figures.corruption_ranks(
            study["retrieval_ranks"], study["corruption_ranks"].replace({"images": {"gaussian_blur": name}}), look
        ),
        "corrupted_panels": corruption_figures.corrupted_panels(
            read(study["fields"]["field_id"].iloc[:1]), np.zeros((1, 24, 24), bool), [name], [name], name
        ),
        "figure_1": corruption_figures.figure_1(study["fields"]["field_id"], read, 3, name)[0],
        "embedding_map": embedding_figures.embedding_map(vectors, labels, labels, look),
        "modality_gap_figure": embedding_figures.modality_gap_figure(
            modality_gap(vectors, vectors, np.arange(30)), vectors, vectors, look
        ),
        "retrieval_gallery": gallery.retrieval_gallery(
            study["retrieval_ranks"], embeddings, study["compounds"], read, look, queries=2, hits=2
        ),
        "panels": montage.panels(read(study["fields"]["field_id"].iloc[:1]), [name], name),
        "sample_panels": montage.sample_panels(study["fields"], read, names, 0, name),
        "draw_mechanisms": profile_moa.draw_mechanisms(mechanisms),
        "draw_corrections": corrections.draw_corrections(effects),
        "hits_figure": hits.hits_figure(hits.Hits(name, [name], _hits(name), [np.zeros((4, 4, 3))] * 2)),
        "search_history": tuning_figures.search_history(trials, search["trial_epochs"], look),
        "parameter_slices": tuning_figures.parameter_slices(trials, look),
        "comparison_figure": comparison.comparison_figure(compared, referred),
        "answer_certainty": uncertainty_figures.answer_certainty(study["candidate_sets"], study["answered"], look),
        "importance_figure": tuning_figures.importance_figure(search["importances"], look),
    }


EVENNESS = pd.DataFrame({"channel": ["DNA"] * 2, "corners_before": [0.7, 0.8], "corners_after": [1.0, None]})
NO_STATISTICS = pd.DataFrame(columns=["plate", "channel", "mean", "basis"])


def hostile_wells(name):
    """Wells of two plates that are called so."""
    grid = pd.MultiIndex.from_product([[name, f"{name} 2"], range(1, 9), range(1, 13)])
    wells = pd.DataFrame(list(grid), columns=["plate", "row", "column"])
    edge = wells["row"].isin([1, 8]) | wells["column"].isin([1, 12])
    return wells.assign(edge=edge, control=wells["column"] == 1, cells=np.arange(len(wells)) % 7.0)


def _hits(name):
    """Hits of a query for fields, and of a control without a compound."""
    row = {"rank": 1, "score": 0.5, "worth": 0.2, "compound": name, "moa": name, "field_id": f"{name}/{name}/A01/1"}
    return pd.DataFrame([row, row | {"compound": None, "moa": None, "worth": np.nan}])


def _study(models):
    return StudyParameters(screen="made_up", simulated=True, models=models)


def texts_of(figure):
    return [text for text in figure.findobj(Text) if text.get_text()]


#: what begins with an underscore, with markup and a formula; a formula that ends nowhere, with control characters
HOSTILE = ["_<b>&amp;|x$_$y", "$\\frac{1}{$ bell\x07 -- 2\nlines\u202e%"]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font")
def test_figures_show_names_as_they_are(name):
    for function, figure in drawn(name).items():
        formulas = [text.get_text() for text in texts_of(figure) if text.get_parse_math() and "$" in text.get_text()]
        assert not formulas, function
        figure.set_layout_engine("none")  # it takes a third of the time, and changes no text
        ElementTree.fromstring(encode(figure, "svg"))


def test_every_figure_is_tried():
    modules = [module.name for module in pkgutil.iter_modules(cloome_kedro.reporting.__path__)]
    found = set()
    for module in modules:
        members = vars(importlib.import_module(f"cloome_kedro.reporting.{module}")).items()
        found |= {
            name
            for name, value in members
            if inspect.isfunction(value)
            and not name.startswith("_")
            and "Figure" in str(inspect.signature(value).return_annotation)
        }
    assert found <= set(drawn(HOSTILE[0]))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_in_the_figures(name):
    figure = drawn(name)
    for function in (
        "retrieval_gallery",
        "embedding_map",
        "sample_panels",
        "zero_shot_accuracy",
        "figure_1",
        "comparison_figure",
        "hits_figure",
        "plate_maps",
        "plate_summary",
        "controls_over_plates",
        "compound_figure",
        "precision_figure",
        "example_fields",
        "rejected_figure",
    ):
        assert any(one_line(name) in one_line(text.get_text()) for text in texts_of(figure[function])), function


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_hits_shows_names_as_they_are(name):
    page = hits.hits_page(hits.Hits(name, [name], _hits(name), [np.zeros((4, 4, 3))] * 2))
    assert "<b>&amp;" not in page
    assert page.count("<img") == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_line_in_a_figure_has_no_control_characters(name):
    line = one_line(name, 24)
    assert line.isprintable()
    assert len(line) <= 24
    assert line == line.strip()


class Structure(HTMLParser):
    """Tags with the names of their attributes, and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def reports():
    """Of the invented study, with plain names and with hostile ones."""
    studies = [hostile_study(name) for name in ("plain", ALL)]
    return [run_report({"random": study}, study=_study(models)) for study, models in studies]


def test_the_report_has_no_markup_of_the_user(reports):
    plain, hostile = (Structure(catalog["report"].load()) for catalog in reports)
    assert hostile.tags == plain.tags
    Balanced(reports[1]["report"].load())
    for part in ("<script>alert(1)", "{{ 7 * 7 }}", "a &amp; b", 'q"uote\' onerror="x'):
        assert part in hostile.text


MARKUP = re.compile(r"(?<!\\)[`*_\[\]<>~$&#|]")


@pytest.mark.parametrize("name", [*NAMES, ALL])
def test_markdown_shows_names_as_they_are(name):
    table = pd.DataFrame({name: [name, "1"], "n": [name, "2"]})
    text = CaptionedTable(name, (name,), table).to_markdown()
    lines = text.splitlines()
    assert len(lines) == 8
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:6]]
    assert [len(row) for row in cells] == [2] * 4
    shown = [lines[0].removeprefix("## "), cells[0][0].strip(), cells[2][1].strip(), lines[-1].removeprefix("- ")]
    for literal in shown:
        assert not MARKUP.search(literal.replace("\\\\", ""))
        assert re.sub(r"\\(.)", r"\1", literal) == " ".join(name.split())
