"""Commands of the documentation are run in the order of the pages, in a copy of the study of conf/test.

An environment, `documented` or `two_models`, is added to each command, in place of an environment of the reader. Both
are short forms of the environment `test`. Commands that ask or compare models come first, and have all models. The
others, many of which train, have two. Names of the virtual screen become those of the small screen.
"""

import os
import re
import shutil

import pytest

import warm_python
from documented import Command, block_commands
from project import ROOT, Project

pytestmark = pytest.mark.slow

#: beginning of a command that cannot be run here -> why
CANNOT = {
    "make": "it installs the project; `make check` is what runs this test",
    "pip install": "it needs the package index",
    "python3 -m venv": "it makes an environment that must be filled from the package index",
    "source": "it changes a shell",
    "cd": "it changes a shell",
    "git clone": "it needs the address of a repository",
    "pre-commit install": "it changes the repository",
    "optuna-dashboard": "it is a server of another package",
    "mlflow ui": "it is a server of another package",
    "jupyter lab": "it is a server; tests/test_notebooks.py runs the notebooks",
    "kedro viz run": "it is a server; tests/test_kedro_viz.py builds the graph",
    "cloome serve": "it is a server; tests/page tests it in a browser",
    "cloome check-screen": "it needs the environment of a screen; tests/cli/test_check_screen.py checks one",
    "cloome new-screen": "it needs a folder of plates; tests/cli/test_new_screen.py has some",
    "cloome runs 2": "it needs the names of two runs; tests/cli/test_runs.py compares runs",
    "cloome embed --plates": "it needs folders of new plates; tests/cli/test_many.py has some",
    "python benchmarks/train_gpu.py": "it needs a GPU; tests/benchmarks/test_train_gpu.py runs it at a small size",
    "torchrun": "it needs two machines; tests/learning/test_processes.py trains in two processes",
    "srun": "it needs Slurm; tests/learning/test_processes.py trains in two processes",
    "dask": "it is a server of another package",
    "kedro run --env my_screen --params parallel.backend": "it needs a cluster; tests/test_cluster.py has one",
    "kedro run --env paper": "it needs the images of the publication; tests/test_paper.py checks its settings",
    "kedro run --env cpg0016": "it needs the Cell Painting Gallery; tests/test_jump_s3.py has a local one",
    "kedro run --env cpg0012": "it needs the Cell Painting Gallery; tests/imaging/remote reads from a local S3 server",
    "kedro run --env cpg0004": "it needs the Cell Painting Gallery; tests/imaging/remote reads from a local S3 server",
    "kedro run --env jump_example": "it needs real images; tests/test_jump_example.py runs it where they are",
    "kedro run --env jump_moa": "it needs real profiles; tests/pipelines/profile_moa runs the pipeline",
    "kedro run --env broad6k": "it needs real labels; tests/pipelines/structure_probing runs the pipeline",
    "kedro run --env dcm": "it needs real profiles; tests/test_no_images.py runs such a screen",
    "kedro run --env wawer_profiles": "it needs real profiles; tests/test_no_images.py runs such a screen",
    "kedro run --env profile_model": "its screen has the full size; tests/test_model_kinds.py trains such a model",
    "kedro run --fresh": "it is the whole study again, which other commands have run",
    "kedro run --pipelines import_checkpoint": "it needs the published file; tests/pipelines/import_checkpoint has one",
}
ENVIRONMENTS = ("my_screen", "NAME")


def adapted(command: Command) -> tuple[str, ...]:
    """The command for an environment of the tests. Only a command that names the second split needs both.

    >>> adapted(Command("", ("kedro", "run", "--env", "my_screen")))
    ('kedro', 'run', '--env', 'two_models')
    """
    words = list(command.words)
    if "--env" in words and words[words.index("--env") + 1] in ENVIRONMENTS:
        del words[words.index("--env") : words.index("--env") + 2]
    if words[:2] == ["kedro", "run"] or words[0] == "cloome":
        env = "documented" if words[0] == "cloome" or {"index", "compare"} & {*words} else "two_models"
        words[2:2] = ["--env", "test" if "scaffold" in words else env]
    return tuple(words)


def why_not(command: Command) -> str:
    """Reason why a command cannot be run; empty if it can."""
    return next((reason for beginning, reason in CANNOT.items() if str(command).startswith(beginning)), "")


FOUND = list(block_commands())
#: the fixture `study` is the first of them
WHOLE_STUDY = ("kedro", "run", "--env", "two_models")
RUN = [words for words in dict.fromkeys(adapted(c) for c in FOUND if not why_not(c)) if words != WHOLE_STUDY]
RUN.sort(key=lambda words: ("index" not in words, "documented" not in words))  # questions need the index


#: what makes an evaluation short
SHORT = {
    "corruption": {"names": ["random_flip_small_rotation"]},
    "probing": {"resamples": 100},
    "compare": {"resamples": 100, "seeds": [0, 1]},
    "tuning": {"search": {"trials": 2}},
}


@pytest.fixture(scope="module")
def copied(study, tmp_path_factory):
    """A copy of the study, since other tests expect its results as they are; with a library of structures."""
    copy = Project(tmp_path_factory.mktemp("documented"))
    copy.environment("documented", {"splits": ["random"]}, SHORT)
    models = {"cloome": "CLOOME", "bilinear": "Bilinear"}
    copy.environment("two_models", {"splits": ["random"], "models": models}, SHORT)
    shutil.copytree(study.folder / "data", copy.folder / "data", dirs_exist_ok=True)
    smiles = copy.load("compounds")["smiles"].head(5).tolist()
    (copy.folder / "library.csv").write_text("\n".join(["smiles", *smiles, "no structure"]) + "\n")
    return copy


@pytest.mark.parametrize("words", RUN, ids=" ".join)
def test_a_command_runs(copied, words):
    pairs = copied.load("pairs")
    compounds = copied.load("compounds").dropna(subset="moa")
    fields = {word: pairs["field_id"].iloc[0] for word in words if word.startswith("virtual_screen/")}
    mechanism = compounds.loc[compounds["inchikey"].isin(pairs["inchikey"]), "moa"].iloc[0]
    words = [fields.get(word, word).replace("MEK inhibitor", mechanism) for word in words]
    module = {"kedro": "kedro", "cloome": "cloome_kedro"}[words[0]]
    done = warm_python.run(module, *words[1:], folder=copied.folder, environment=dict(os.environ))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert done.stdout + done.stderr
    if "--out" in words:
        assert (copied.folder / words[words.index("--out") + 1]).is_file()


def test_reasons_are_still_needed():
    unused = [beginning for beginning in CANNOT if not any(str(command).startswith(beginning) for command in FOUND)]
    assert not unused
    named = {path for reason in CANNOT.values() for path in re.findall(r"tests/[\w/.]*\w", reason)}
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]
