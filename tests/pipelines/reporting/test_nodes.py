import re
from html.parser import HTMLParser

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from matplotlib.figure import Figure

from cloome_kedro.chemistry.splits import split_hash
from cloome_kedro.parameters import (
    ProbingParameters,
    ReportingParameters,
    RetrievalParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.reporting import create_pipeline, create_section_pipeline
from synthetic_search import make_search, make_tuned, no_search
from synthetic_study import make_study
from synthetic_tasks import nothing

VOID = {"meta", "img", "br", "link", "hr"}
SHARED = {"fields", "pairs", "compounds", "plate_store"}
PARAMETERS = {
    "params:reporting": ReportingParameters(
        title="Study of <virtual>", simulated=True, gallery_queries=2, gallery_hits=3
    ),
    "params:retrieval": RetrievalParameters(),
    "params:zero_shot": ZeroShotParameters(),
    "params:probing": ProbingParameters(c_grid=[1.0]),
    "params:seed": 7,
}


class Balanced(HTMLParser):
    """Fails on a closing tag that closes nothing."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids = [], []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def run(studies):
    """The catalog after a run of all sections and the report."""
    catalog = DataCatalog()
    for name, value in {**next(iter(studies.values())), **PARAMETERS}.items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    sections = Pipeline([])
    for split, study in studies.items():
        study = no_search() | study
        inner = create_section_pipeline(split)
        for name in set(study) - SHARED:
            catalog[f"{split}.{name}"] = MemoryDataset(study[name], copy_mode="assign")
        for name in inner.outputs():
            catalog[f"{split}.{name}"] = MemoryDataset(copy_mode="assign")
        sections += Pipeline(inner, namespace=split, inputs=SHARED, parameters=set(PARAMETERS))
    whole = create_pipeline(list(studies))
    for name in whole.outputs():
        catalog[name] = MemoryDataset(copy_mode="assign")
    # in two runs, since a runner drops what its last reader has read
    SequentialRunner().run(sections, catalog)
    SequentialRunner().run(whole, catalog)
    return catalog


@pytest.fixture(scope="module")
def catalog():
    """The random split has been searched."""
    return run({"random": searched(make_study("random")), "scaffold": make_study("scaffold", noise=3.0)})


def searched(study, **options):
    """The study with a search on its folds, whose winner was trained; metrics of those folds."""
    tables = study | make_tuned(study)
    metrics = {name: table for name, table in tables.items() if name.endswith(("l_metrics", "t_metrics", "g_metrics"))}
    hashed = {name: table.assign(split_hash=split_hash(study["folds"])) for name, table in metrics.items()}
    return tables | hashed | make_search(study["folds"], **options)


FIGURES = [
    *("training_curves", "rank_distribution", "retrieval_gallery", "zero_shot_figure", "zero_shot_rank_distribution"),
    *("assay_auc", "corruption_figure", "embedding_map", "modality_gap"),
]
PARTS = ["folds-and-training", "retrieval", "zero-shot", "probing", "corruption", "embeddings"]


def test_figures_and_sections_are_written(catalog):
    for name in (*(f"scaffold.{figure}" for figure in FIGURES), "figure_1"):
        assert isinstance(catalog.load(name), Figure), name
    outputs = create_section_pipeline("scaffold").outputs()
    assert set(FIGURES) == {name for name in outputs if not name.endswith("_part")}
    assert catalog.load("figure_1") is catalog.load("figure_1_pdf")
    assert "Scaffold split" in catalog.load("report")


def test_report_is_one_well_formed_file(catalog):
    html = catalog.load("report")
    of_split = [[split, *(f"{split}-{part}" for part in PARTS)] for split in ("random", "scaffold")]
    of_split[0].insert(2, "random-hyperparameter-search")
    assert Balanced(html).ids == ["result", "data", *of_split[0], *of_split[1], "supplement"]
    assert set(re.findall(r'href="#([^"]+)"', html)) == set(Balanced(html).ids)
    outside = re.findall(r"""(?:src|href)=["'](?!data:|#)|@import|url\(|<script|<link""", html)
    assert not outside, "the report refers to something outside itself"
    # fields and figure 1; of a split its figures, and bars that are in no file; three of the search
    assert len(re.findall(r'<img src="data:image/', html)) == 2 + 2 * (len(FIGURES) + 1) + 3


def test_report_says_what_was_found(catalog):
    html = catalog.load("report")
    assert "Study of &lt;virtual&gt;" in html
    assert "SIMULATED DATA" in html
    metrics = catalog.load("random.retrieval_metrics")
    top1 = metrics.query(
        "method == 'CLOOME' and metric == 'top-1' and pool == 'sampled' and draws == 1 and shown_by == 'field'"
    )
    assert len(top1) == 2
    for value in top1["value"]:
        assert f'<div class="value">{100 * value:.1f} %</div>' in html
    auc = catalog.load("scaffold.probing_metrics").query("method == 'CLOOME' and metric == 'mean AUC'")["value"].item()
    assert f'<div class="value">{auc:.3f}</div>' in html
    assert html.count("<em>Bilinear</em> is the baseline") == 2
    assert html.count("modality gap; 0: none") == 2
    assert html.count('<td class="number">AAA ~ BBB (0.97)</td>') == 4
    assert "unreadable TIFF: not a &lt;TIFF&gt; file" in html
    assert "BRD-x" in html
    assert html.count(f"<code>{split_hash(catalog.load('random.folds'))}</code>") == 2
    assert "(seed 7)" in html


def of_split(name, values):
    """What a node of the whole report makes for a split of these values."""
    node = next(node for node in create_pipeline(["random"]).nodes if node.short_name == f"{name}_random")
    made = node.run({name: values[name.removeprefix("random.")] for name in node.inputs})
    return {name.removeprefix("random."): value for name, value in made.items()}


def _write_report(catalog, **replaced):
    node = next(node for node in create_pipeline(["random"]).nodes if node.short_name == "write_report")
    made = {"figure_1_part": "", "supplement_section": "", "random.report_section": "", "random.report_cards": []}
    inputs = {name: made[name] if name in made else catalog.load(name) for name in node.inputs}
    return node.run(inputs | replaced)


def test_retrieval_summary_is_the_table_as_text(catalog):
    text = _write_report(catalog)["retrieval_summary"]
    assert text.startswith("Retrieval, with exact 95 % intervals — SIMULATED DATA\n")
    assert text.rstrip().endswith(" 28")
    assert "random split, 28 candidates (full pool)" in text


def test_nothing_rejected_is_said(catalog):
    tables = {name: catalog.load(name).iloc[:0] for name in ("rejected_fields", "rejected_compounds")}
    assert _write_report(catalog, **tables)["report"].count("<p>None.</p>") == 2


def test_a_screen_with_retrieval_alone_is_described():
    """Without assay labels, mechanisms, a second field, corruptions or a baseline; a real one."""
    study = make_study()
    empty = nothing({name: table for name, table in study.items() if "probing" in name or "zero_shot" in name})
    empty |= nothing({name: study[name] for name in ("bilinear_ranks", "oracle_ranks", "retrieval_differences")})
    empty |= nothing({name: table for name, table in study.items() if name.startswith("corrupt")})
    empty["compounds"] = study["compounds"].assign(moa=None)
    empty["retrieval_metrics"] = study["retrieval_metrics"].query("method in ['CLOOME', 'Random']")
    real = PARAMETERS["params:reporting"].model_copy(update={"simulated": False})
    outputs = dict(study) | empty | no_search() | PARAMETERS | {"params:reporting": real}
    for node in create_section_pipeline("provided").nodes:
        outputs |= node.run({name: outputs[name] for name in node.inputs})
    outputs |= of_split("describe_tuning", outputs)
    outputs |= of_split("join_section", outputs)
    section = outputs["report_section"]
    assert "imulated" not in re.sub(r"base64,[^\"]*", "", section)
    Balanced(section)
    for missing in ("No zero-shot results", "No probing results", "No corrupted images were evaluated"):
        assert missing in section
    assert "is the baseline" not in section
    assert [card.title for card in outputs["report_cards"]] == ["Image → compound", "Compound → image"]


def test_one_test_compound_is_too_few_for_a_map():
    study = make_study()
    first = study["folds"].query("fold == 'test'")["inchikey"].iloc[0]
    folds = study["folds"].assign(
        fold=lambda table: table["fold"].where((table["fold"] != "test") | (table["inchikey"] == first), "train")
    )
    node = next(node for node in create_section_pipeline("random").nodes if node.short_name == "describe_embeddings")
    inputs = {**study, **PARAMETERS, "folds": folds}
    found = node.run({name: inputs[name] for name in node.inputs})
    assert found["embedding_part"].strip() == "<p>Too few to draw: 2 fields of 1 test compounds.</p>"
    assert "Too few" in found["modality_gap"].texts[0].get_text()


def describe_tuning(tables):
    return of_split("describe_tuning", {**tables, **PARAMETERS})["tuning_part"]


def cells(html):
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr.*?</tr>", html)]


@pytest.mark.parametrize(
    ("metric", "table", "kept"),
    [
        ("top1", "retrieval_metrics", "method == 'CLOOME' and pool == 'sampled' and direction == 'image retrieval'"),
        (
            "zero_shot_moa_top1",
            "zero_shot_metrics",
            "task == 'zero-shot MoA' and excluded == 'none' and pool == 'full'",
        ),
        ("probing_auc", "probing_metrics", "metric == 'mean AUC'"),
    ],
)
def test_default_and_winner_stand_side_by_side_on_the_test_fold_of_the_searched_task(metric, table, kept):
    study = searched(make_study(), metric=metric)
    section = describe_tuning(study)
    Balanced(section)
    kept += " and method == 'CLOOME' and metric in ['top-1', 'mean AUC'] and draws == 1 and shown_by == '{}'"
    kept = kept.format("mean" if metric == "probing_auc" else "field")
    default, winner = (study[name].query(kept).iloc[0] for name in (table, f"tuned.{table}"))
    assert winner["value"] == pytest.approx(min(default["value"] + 0.1, 1))

    def text(row):
        numbers = [row["value"], row["low"], row["high"]]
        if metric == "probing_auc":
            return "{:.3f} ({:.3f}–{:.3f})".format(*numbers)
        return "{:.1f} % ({:.1f}–{:.1f})".format(*(100 * number for number in numbers))

    found = [row for row in cells(section) if row[1:3] == [text(default), text(winner)]]
    assert [row[4:] for row in found] == [[f"{default['n']}", f"{default['compounds']}"]]
    assert "have not" not in section
    assert "kedro run" not in section, "the winner was trained"
    assert "OutOfMemoryError: no memory is left" in section


def test_a_winner_that_was_not_trained_on_these_folds_is_said_with_the_command():
    study = searched(make_study())
    for tuned in (
        nothing(make_tuned(study)),
        {"tuned.retrieval_metrics": make_tuned(make_study())["tuned.retrieval_metrics"]},
    ):
        section = describe_tuning(study | tuned)
        assert "<code>kedro run --pipelines tune_and_train,reporting</code>" in section
        row = next(row for row in cells(section) if row and row[0].startswith("top-1, image → compound"))
        assert "%" in row[1]
        assert row[2] == "–"


def test_a_search_on_other_folds_is_left_out():
    study = searched(make_study())
    other = study["folds"].assign(fold=study["folds"]["fold"].replace({"train": "test", "test": "train"}))
    assert describe_tuning(study) != ""
    assert describe_tuning(study | {"folds": other}) == ""


def test_importances_that_cannot_be_told_are_not_drawn():
    study = searched(make_study())
    assert "fANOVA" in describe_tuning(study)
    assert "fANOVA" not in describe_tuning(study | {"importances": no_search()["importances"]})
