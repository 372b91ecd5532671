"""The report over all splits: a whole run of the pipeline, on studies of several kinds."""

import itertools
import platform
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from cloome_kedro.parameters import StudyParameters
from cloome_kedro.pipelines.reporting import create_pipeline, create_split_pipeline
from cloome_kedro.reporting.sheets import SHEETS
from report_run import PARAMETERS, Balanced, handed_over, run_node, run_report, search_part
from synthetic_study import MODELS, make_study
from synthetic_tasks import nothing

FIGURES = [
    *("training_curves", "retrieval_accuracy", "rank_distribution", "retrieval_gallery", "zero_shot_accuracy"),
    *("zero_shot_ranks", "assay_auc", "corruption_effects", "corruption_ranks", "embedding_map", "modality_gap"),
    "answer_certainty",
]
PARTS = ["folds-and-training", "retrieval", "zero-shot", "probing", "corruption", "how-sure-an-answer-is", "embeddings"]


@pytest.fixture(scope="module")
def catalog():
    """The random split has been searched."""
    random = make_study("random")
    return run_report(
        {
            "random": random,
            "scaffold": make_study("scaffold", noise=3.0),
        },
        encoded=("figure_1", "scaffold.training_curves_figure"),
        later_parts={
            "random/default/tuning.html": search_part(random),
            "default/comparison_ablation.html": "<p>compared</p>",
        },
    )


@pytest.fixture(scope="module")
def profile_models():
    """A study of two models that see no images; the first is not called CLOOME."""
    models = {"profile": "Profile model", "bilinear": "Baseline <x>"}
    study = make_study(models=models, sees_images=False)
    parameters = StudyParameters(screen="made_up", simulated=True, models=models)
    return run_report({"random": study}, sees_images=False, study=parameters)


def test_figures_and_sections_are_written(catalog):
    for name in (*(f"scaffold.{figure}_figure" for figure in FIGURES), "figure_1", "fields_figure"):
        assert isinstance(catalog[name].figure, Figure), name
    outputs = create_split_pipeline("scaffold", list(MODELS), True).all_outputs()
    drawn = {name for name in outputs if name.endswith("_figure")}
    assert drawn == {f"scaffold.{figure}_figure" for figure in FIGURES}
    assert "Scaffold split" in catalog.load("report")


def test_figures_say_which_split_they_are_of_and_that_data_are_simulated(catalog):
    for name in set(FIGURES) - {"retrieval_gallery"}:
        title = catalog[f"scaffold.{name}_figure"].figure._suptitle.get_text()
        assert title.startswith("scaffold split"), name
        assert title.endswith("simulated data"), name


def test_report_is_one_well_formed_file(catalog):
    html = catalog.load("report")
    of_split = [[split, *(f"{split}-{part}" for part in PARTS)] for split in ("random", "scaffold")]
    of_split[0].insert(2, "random-hyperparameter-search")
    ids = ["result", "comparison", "data", *of_split[0], *of_split[1], "supplement", "run"]
    assert Balanced(html).ids == ids
    assert set(re.findall(r'href="#([^"]+)"', html)) == set(ids)
    outside = re.findall(r"""src=["'](?!data:)|@import|url\(|<script|<link""", html)
    assert not outside, "the report needs something outside itself"
    # fields and figure 1; of a split its figures; three of the search
    assert len(re.findall(r'<img src="data:', html)) == 2 + 2 * len(FIGURES) + 3
    assert re.findall(r'<img src="data:(image/[^;]*)', html) == ["image/webp", "image/svg+xml"]
    assert '"figure:' not in html, "a figure was not put in"


class Outline(HTMLParser):
    """Elements that help to find one's way without seeing the page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.headings, self.scopes, self.alts = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "th":
            self.scopes.append(dict(attrs).get("scope"))
        if tag == "img":
            self.alts.append(dict(attrs).get("alt"))


def test_report_can_be_read_without_seeing_it(catalog):
    html = catalog.load("report")
    outline = Outline(html)
    assert [outline.tags.count(tag) for tag in ("h1", "header", "main", "footer")] == [1] * 4
    assert '<html lang="en">' in html
    assert all("aria-label=" in attributes for attributes in re.findall("<nav ([^>]*)>", html))
    deeper = [after - before for before, after in itertools.pairwise(outline.headings)]
    assert max(deeper) == 1, "a level of headings is left out"
    assert set(outline.scopes) == {"col", "row"}
    assert all(outline.alts)
    assert html.count("<table ") == len(re.findall(r'<table class="\w+" aria-label="[^"]+"', html))


def test_every_table_of_the_report_has_a_file(catalog):
    html, tables = catalog.load("report"), catalog.load("report_tables")
    links = re.findall(r'href="tables/([^"]+)\.csv"', html)
    assert sorted(links) == sorted(tables)
    assert {"data-numbers-of-the-screen", "random-folds-and-training-models", "scaffold-folds-and-training-models"} < {
        *tables
    }
    assert tables["scaffold-folds-and-training-models"]["model"].tolist() == list(MODELS.values())
    shared = re.findall(r'href="supplement/([^"]+)\.csv"', html)
    assert sorted(shared) == sorted([*(f"table_{sheet.name}" for sheet in SHEETS), "audits"])


def test_report_says_what_made_it(catalog):
    html = catalog.load("report")
    facts = dict(re.findall(r"<div><dt>(.*?)</dt><dd>(.*?)</dd></div>", html[html.index('<section id="run">') :]))
    assert facts["seed"] == "7"
    assert facts["model of this report"] == "CLOOME"
    assert facts["splits"] == "random, scaffold"
    assert facts["images"] == "images → resnet"
    assert facts["Python"] == platform.python_version()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d[+-]\d\d:\d\d", facts["written"])
    assert {"git commit", "device", "draws", "epochs", "learning rate"} < facts.keys()


def test_one_pair_of_words_names_the_directions(catalog):
    """The publication's words are explained once; its tables keep them."""
    html = catalog.load("report")
    assert not re.search(r"image to compound|compound to image", html)
    for words in ("structure retrieval", "image retrieval"):
        assert html.count(f"<em>{words}</em>") == len(re.findall(words, html)) == 1


def test_report_says_what_was_found(catalog):
    html = catalog.load("report")
    assert "Study of &lt;virtual&gt;" in html
    assert "SIMULATED DATA" in html
    assert "<h3>List <code>ablation</code></h3>\n<p>compared</p>" in html
    metrics = catalog.load("random.metrics")
    top1 = metrics.query(
        "method == 'CLOOME' and metric == 'top-1' and pool == 'sampled' and shown_by == 'field' and images == 'clean'"
    )
    top1 = top1[top1["draws"] == top1["draws"].max()]
    assert len(top1) == 2
    for value in top1["value"]:
        assert f'<div class="value">{100 * value:.1f} %</div>' in html
    of_probing = catalog.load("scaffold.metrics").query("method == 'CLOOME' and metric == 'mean AUC'")
    auc = of_probing.query("images == 'clean'")["value"].item()
    assert f'<div class="value">{auc:.3f}</div>' in html
    assert html.count("<em>Bilinear</em> is the baseline") == 2
    assert html.count("The modality gap is ") == 2
    assert html.count("<td>AAA ~ BBB (0.97)</td>") == 4
    assert html.count("<td>images → resnet</td>") == html.count("<td>morgan → linear</td>") == 2
    assert "unreadable TIFF: not a &lt;TIFF&gt; file" in html
    assert "BRD-x" in html
    folds = [catalog.load(f"{split}.examples")["split_hash"].iloc[0] for split in ("random", "scaffold")]
    assert [html.count(f"<code>{hashed}</code>") for hashed in folds] == [2, 1]  # that of the search, too
    assert "(seed 7)" in html


def test_the_report_says_how_its_model_is_called(profile_models):
    html = profile_models.load("report")
    Balanced(html)
    section = profile_models.load("random.report_section")
    assert "CLOOME" not in section
    assert "<h4>Profile model minus other methods, top-1</h4>" in section
    assert "in the order of the AUC of Profile model" in section
    assert "<em>Baseline &lt;x&gt;</em> is the baseline" in section
    assert '<tr class="model"><th scope="row">Profile model</th>' in section
    assert '<th scope="row">CLOOME (image retr.) (ours: Profile model)</th>' in html
    assert "<dt>Baseline &lt;x&gt;</dt><dd>" in html
    assert re.search(r"^  Profile model +\d", profile_models.load("summary"), re.M)
    assert "CLOOME" not in profile_models.load("summary")
    audits = profile_models.load("supplement_audits").table
    assert "Profile model minus this method" in audits
    assert "CLOOME" not in audits.to_csv()


def test_a_model_that_sees_no_images_has_no_corruptions(profile_models):
    section = profile_models.load("random.report_section")
    ids = ["random", *(f"random-{part}" for part in PARTS if part != "corruption")]
    assert Balanced(section).ids == ids
    assert "orrupt" not in section
    assert len(profile_models["random.assay_auc_figure"].figure.axes) == 2
    pipeline = create_split_pipeline("random", ["profile"], False)
    assert not [name for name in pipeline.datasets() if "corrupt" in name]


def test_the_screen_is_described(catalog):
    part = catalog.load("data_text")
    Balanced(part)
    assert re.findall(r'src="([^"]*)"', part) == ["figure:fields"]
    assert re.search(r"id or name\b.*?\b2\b.*?\b8\b.*?\b1\b.*?not in the screen", part, re.DOTALL)
    pipeline = create_pipeline(["random"])
    given = {
        name: catalog.load(name)
        for name in ("fields", "merged_compounds", "pairs", "label_joins", "plate_store", "params:study", "params:seed")
    }
    given["compounds"] = catalog.load("compounds").assign(stripped=None)
    given |= {name: catalog.load(name).iloc[:0] for name in ("rejected_fields", "rejected_compounds")}
    given |= run_node(pipeline, "summarise_screen", given)
    assert run_node(pipeline, "describe_data", given)["data_text"].count("<p>None.</p>") == 3


def test_figure_1_is_of_a_treated_field(catalog):
    (field_id,) = re.findall(r"from the field (\S+):", catalog.load("figure_1_text"))
    fields = catalog.load("fields").set_index("field_id")
    assert not fields["control"][field_id]
    assert field_id in catalog["figure_1"].figure.texts[0].get_text()
    assert "simulated data" in catalog["figure_1"].figure.texts[0].get_text()
    given = {name: catalog.load(name) for name in ("plate_store", "params:study", "params:seed")}
    controls = catalog.load("fields").query("control")
    found = run_node(create_pipeline(["random"]), "draw_figure_1", given | {"fields": controls})
    assert re.findall(r"from the field (\S+):", found["figure_1_text"])[0] in set(controls["field_id"])


def test_the_summary_is_retrieval_as_text_and_then_the_other_tasks(catalog):
    text = catalog.load("summary")
    retrieval, tasks = text.split("\n\nZero-shot classification and probing")
    assert retrieval.startswith("Retrieval, with exact 95 % intervals — SIMULATED DATA\n")
    assert retrieval.endswith(" 28")
    assert "random split, 28 candidates (full pool)" in retrieval
    lines = tasks.splitlines()
    assert lines[0] == ", with 95 % intervals — SIMULATED DATA"
    assert [line for line in lines if line.endswith(" split")] == ["random split", "scaffold split"]
    head = lines[3]
    assert "MoA, top-1" in head
    assert "assays, mean AUC" in head
    assert {len(line) for line in lines[4:10]} == {len(head)}
    assert lines[4].startswith("  CLOOME ")
    assert lines[9].startswith("  Random ")
    assert "too narrow" in lines[-1]


def test_a_screen_with_retrieval_alone_is_described():
    """Without assay labels, mechanisms, a second field, corruptions or a baseline; a real one."""
    study = make_study("provided", models={"cloome": "CLOOME"})
    kept = {"metrics": "task == 'retrieval' and images == 'clean' and method in ['CLOOME', 'Random']"}
    study |= {name: study[name].query(query) for name, query in kept.items()}
    study["retrieval_ranks"] = study["retrieval_ranks"].query("method == 'CLOOME'")
    names = ("differences", "zero_shot_ranks", "probing_scores", "corrupted_probing_scores", "corrupted_fields")
    names += ("corruption_ranks",)
    study |= nothing({name: study[name] for name in names})
    study |= {name: study[name].assign(moa=None) for name in ("examples", "compounds")}
    real = StudyParameters(screen="mine", simulated=False, models={"cloome": "CLOOME"})
    catalog = run_report({"provided": study}, study=real)
    html = catalog.load("report")
    Balanced(html)
    assert "imulated" not in html
    section = catalog.load("provided.report_section")
    for missing in ("No zero-shot results", "No probing results", "No corrupted images were evaluated"):
        assert missing in section
    assert "is the baseline" not in section
    assert re.findall(r'<div class="card">\n<h3>(.*?)</h3>', html) == [
        "Image → compound", "Compound → image"
    ]  # fmt: skip
    assert catalog.load("summary").startswith("Retrieval")
    assert "Zero-shot" not in catalog.load("summary")
    titles = [catalog[f"provided.{name}_figure"].figure._suptitle.get_text() for name in FIGURES[:3]]
    assert titles == ["provided split"] * 3


def test_tables_without_ours_are_listed_and_left_out(catalog):
    """In the report; they have their datasets all the same."""
    study = make_study("random")
    alone = study["metrics"].query("task == 'retrieval' and images == 'clean'").assign(split="provided")
    pipeline = create_pipeline(["provided"])
    found = handed_over({"provided": study | {"metrics": alone, "differences": study["differences"].iloc[:0]}})
    found |= PARAMETERS
    found |= run_node(pipeline, "write_supplement", found)
    found |= run_node(pipeline, "describe_supplement", found)
    found |= {"data_text": "", "figure_1_text": "", "fields_figure": "data:,", "figure_1": "data:,"}
    found |= {"later_parts": {"data_report.html": "made"}, "provided.report_section": ""}
    written = run_node(pipeline, "write_report", found)
    html = written["report"]
    Balanced(html)
    folded = r'<details class="(?:table|sheet)">\n<summary><h3>(.*?)</h3>'
    assert len(re.findall(folded, html)) == 3  # sampled and, as of the random split, full; audits
    (missing,) = re.findall("left out because they have no results of this study: (.*)[.]</p>", html)
    shown = ("supplement_table_7", "supplement_table_8_clean")
    left = [table.title for name, table in found.items() if name.startswith("supplement_table") and name not in shown]
    assert re.findall(folded, html)[-1].startswith("Audits: ")
    assert missing == "; ".join(left)
    assert "Zero-shot" not in written["summary"]
    assert 'href="../../data_report.html"' in html
    whole = catalog.load("report")
    assert "kedro run --pipelines data_report" in whole
    assert len(re.findall(folded, whole)) == 12
    assert "<h2>Supplementary tables</h2>" in whole
    assert "made_up (SIMULATED)" in whole
    assert "left out because" not in whole
