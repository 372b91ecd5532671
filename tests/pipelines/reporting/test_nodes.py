import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from matplotlib.figure import Figure

from cloome_kedro.parameters import ReportingParameters, RetrievalParameters
from cloome_kedro.pipelines.reporting import create_pipeline, create_section_pipeline
from synthetic_study import make_study

VOID = {"meta", "img", "br", "link", "hr"}
SHARED = {"fields", "pairs", "compounds", "plate_store"}
PARAMETERS = {
    "params:reporting": ReportingParameters(
        title="Study of <virtual>", simulated=True, gallery_queries=2, gallery_hits=3
    ),
    "params:retrieval": RetrievalParameters(),
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


@pytest.fixture(scope="module")
def catalog():
    """The catalog after a run of both sections and the report."""
    studies = {"random": make_study("random"), "scaffold": make_study("scaffold", noise=3.0)}
    catalog = DataCatalog()
    for name, value in {**studies["random"], **PARAMETERS}.items():
        catalog[name] = MemoryDataset(value, copy_mode="assign")
    sections = Pipeline([])
    for split, study in studies.items():
        inner = create_section_pipeline(split)
        for name in inner.inputs() - SHARED - set(PARAMETERS):
            catalog[f"{split}.{name}"] = MemoryDataset(study[name], copy_mode="assign")
        for name in inner.outputs():
            catalog[f"{split}.{name}"] = MemoryDataset(copy_mode="assign")
        sections += Pipeline(inner, namespace=split, inputs=SHARED, parameters=set(PARAMETERS))
    catalog["report"] = MemoryDataset()
    # in two runs, since a runner drops what its last reader has read
    SequentialRunner().run(sections, catalog)
    SequentialRunner().run(create_pipeline(list(studies)), catalog)
    return catalog


def test_figures_and_sections_are_written(catalog):
    for name in ("training_curves", "rank_distribution", "retrieval_gallery"):
        assert isinstance(catalog.load(f"scaffold.{name}"), Figure)
    assert "Scaffold split" in catalog.load("scaffold.report_section")


def test_report_is_one_well_formed_file(catalog):
    html = catalog.load("report")
    assert Balanced(html).ids == ["result", "data", "random", "scaffold"]
    outside = re.findall(r"""(?:src|href)=["'](?!data:|#)|@import|url\(|<script|<link""", html)
    assert not outside, "the report refers to something outside itself"
    assert len(re.findall(r'<img src="data:image/', html)) == 1 + 2 * 4


def test_report_says_what_was_found(catalog):
    html = catalog.load("report")
    assert "Study of &lt;virtual&gt;" in html
    assert "SIMULATED DATA" in html
    metrics = catalog.load("random.retrieval_metrics")
    top1 = metrics.query("method == 'CLOOME' and metric == 'top-1' and pool == 'sampled'")
    top1 = top1[(top1["draws"] == 1) & (top1["shown_by"] == "field")]
    assert len(top1) == 2
    for value in top1["value"]:
        assert f'<div class="value">{100 * value:.1f} %</div>' in html
    assert html.count("<em>Bilinear</em> is the baseline") == 2
    assert "unreadable TIFF: not a &lt;TIFF&gt; file" in html
    assert "BRD-x" in html
    assert "0123456789abcdef" in html
    assert "(seed 7)" in html


def test_retrieval_summary_is_the_table_as_text(catalog):
    names = [name for name in create_pipeline(["random"]).inputs() if name != "random.report_section"]
    inputs = {name: catalog.load(name) for name in names}
    node = create_pipeline(["random"]).nodes[0]
    text = node.run({**inputs, "random.report_section": "<section></section>"})["retrieval_summary"]
    assert text.startswith("Retrieval, with exact 95 % intervals — SIMULATED DATA\n")
    assert text.rstrip().endswith(" 28")
    assert "random split, 28 candidates (full pool)" in text


def test_real_data_are_not_called_simulated(catalog):
    real = PARAMETERS["params:reporting"].model_copy(update={"simulated": False})
    section_node = create_section_pipeline("random").nodes[0]
    inputs = {
        name: catalog.load(name if name in SHARED | set(PARAMETERS) else f"random.{name}")
        for name in section_node.inputs
    }
    section = section_node.run({**inputs, "params:reporting": real})["report_section"]
    assert "imulated" not in re.sub(r"base64,[^\"]*", "", section)


def test_nothing_rejected_is_said(catalog):
    node = create_pipeline(["random"]).nodes[0]
    inputs = {name: catalog.load(name) for name in node.inputs}
    for name in ("rejected_fields", "rejected_compounds"):
        inputs[name] = pd.DataFrame(columns=inputs[name].columns)
    assert node.run(inputs)["report"].count("<p>None.</p>") == 2
