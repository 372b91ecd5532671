"""Runs of the pipeline ``reporting`` on invented studies, in memory, and a check of the HTML that it writes."""

import base64
import re
from html import unescape
from html.parser import HTMLParser

from kedro.io import AbstractDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from cloome_kedro.parameters import (
    CardParameters,
    ProbingParameters,
    ReportingParameters,
    RetrievalParameters,
    UncertaintyParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.reporting import create_pipeline, create_split_pipeline
from cloome_kedro.pipelines.reporting.results import collect_configs, gather_results, summarise_screen
from cloome_kedro.pipelines.tuning import nodes as tuning
from cloome_kedro.reporting.images import encode
from synthetic_search import make_search, make_tuned
from synthetic_study import SHARED, STUDY

PARAMETERS = {
    "params:study": STUDY,
    "params:reporting": ReportingParameters(title="Study of <virtual>", gallery_queries=2, gallery_hits=3),
    "params:retrieval": RetrievalParameters(),
    "params:zero_shot": ZeroShotParameters(),
    "params:probing": ProbingParameters(c_grid=[1.0]),
    "params:uncertainty": UncertaintyParameters(),
    "params:cards": CardParameters(),
    "params:seed": 7,
}
_VOID = {"meta", "img", "br", "link", "hr"}


def cells(html):
    """Texts of the cells of all rows of tables, with the names of rows."""
    rows = (re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr.*?</tr>", html, re.S))
    return [[unescape(re.sub(r"<[^>]*>", "", text)).replace("\xa0", " ") for text in row] for row in rows]


class Balanced(HTMLParser):
    """Fails on a closing tag that closes nothing; ``ids`` are those of all elements in order."""

    def __init__(self, html):
        super().__init__()
        self.open, self.ids = [], []
        self.feed(html)
        assert not self.open, f"never closed: {self.open}"
        assert len(set(self.ids)) == len(self.ids), "an id is there twice"

    def handle_starttag(self, tag, attrs):
        if tag not in _VOID:
            self.open.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def uri(figure):
    """A figure as the catalog's figures are loaded, as SVG, or as a small WebP if it shows photographs."""
    kind, mime = ("webp", "webp") if any(axes.images for axes in figure.axes) else ("svg", "svg+xml")
    return f"data:image/{mime};base64,{base64.b64encode(encode(figure, kind, 30)).decode()}"


class Drawn(AbstractDataset):
    """A figure, kept as ``figure``, which is loaded as a data URI."""

    def __init__(self, encoded):
        self.encoded = encoded

    def save(self, data):
        self.figure = data

    def load(self):
        return uri(self.figure) if self.encoded else "data:,"

    def _describe(self):
        return {}


class Kept(MemoryDataset):
    """Is there when the run has ended."""

    def __init__(self, *data):
        super().__init__(*data, copy_mode="assign")

    def _release(self):
        pass


def datasets_of(split, study, models):
    """A study's datasets by their names in the catalog."""
    first = next(iter(models))
    found = {name: study[name] for name in SHARED}
    for name, value in study.items():
        if name in ("checkpoints", "histories"):
            kind = {"checkpoints": "checkpoint", "histories": "history"}[name]
            found |= {f"{split}.{model}.{kind}": of_model for model, of_model in value.items()}
        elif name in ("field_embeddings", "compound_embeddings", "corrupted_fields"):
            found[f"{split}.{first}.{name}"] = value
        elif name not in SHARED:
            found[f"{split}.{name}"] = value
    return found


def handed_over(studies):
    """What the report over all splits reads of studies, by the names of their splits: results, and the screen."""
    screen = next(iter(studies.values()))
    tables = {name: screen[name] for name in SHARED if name != "plate_store"}
    found = {name: screen[name] for name in SHARED} | {"screen_overview": summarise_screen(**tables)}
    for split, study in studies.items():
        configs = collect_configs(**{f"{name}_checkpoint": value for name, value in study["checkpoints"].items()})
        gathered = ("metrics", "differences", "leaks", "candidate_sets", "examples")
        found[f"{split}.results"] = gather_results(**{name: study[name] for name in gathered}, model_configs=configs)
    return found


def run_report(studies, *, sees_images=True, encoded=(), later_parts=None, **parameters):
    """The catalog after a run of all sections and of the report over some studies, by the names of their splits.

    Parameters
    ----------
    sees_images
        Whether the first model does.
    encoded
        Names of figures that are encoded, which takes longer than to draw them; the others are empty in the report.
    later_parts
        Parts of searches and comparisons, by their paths.
    parameters
        Parameter groups that replace those above.
    """
    given = PARAMETERS | {f"params:{name}": value for name, value in parameters.items()}
    models = given["params:study"].models
    given |= {"later_parts": later_parts or {}}
    for split, study in studies.items():
        given |= datasets_of(split, study, models)
    pipeline = sum(
        (create_split_pipeline(split, list(models), sees_images) for split in studies),
        create_pipeline(list(studies)),
    )
    catalog = DataCatalog({name: Kept(value) for name, value in given.items() if name in pipeline.inputs()})
    for name in pipeline.all_outputs():
        drawn = name.rpartition(".")[2].endswith(("_figure", "figure_1"))
        catalog[name] = Drawn(name in encoded) if drawn else Kept()
    SequentialRunner().run(pipeline, catalog)
    return catalog


def run_node(pipeline: Pipeline, name, datasets):
    """What one node gives, by the names of datasets."""
    (node,) = (node for node in pipeline.nodes if node.short_name == name)
    return node.run({dataset: datasets[dataset] for dataset in node.inputs})


def search_part(study, search=None, tuned=None, study_parameters=STUDY):
    """The part of a section that describes a search: by default one on the study's folds, whose winner was trained.

    Its figures are empty.
    """
    search = search or make_search(study["examples"])
    figures = dict.fromkeys(("search_history_figure", "search_slices_figure", "search_importance_figure"), "data:,")
    return tuning.describe_search(
        trials=search["trials"],
        importances=search["importances"],
        metrics=study["metrics"],
        tuned_metrics=make_tuned(study["metrics"]) if tuned is None else tuned,
        study=study_parameters,
        **figures,
    )
