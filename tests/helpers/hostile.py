"""Names that a program could take for markup, and the invented study with such names."""

import pandas as pd

from cloome_kedro.evaluation.methods import Embeddings
from synthetic_study import make_study

#: compounds, plates, mechanisms, assays and models can be called so
NAMES = (
    *("x$_$y", "$$", r"$\frac{1}{$", r"\textbf{a} $x^2$", "_begins", "100 % #1", "<b>bold</b>", "<script>alert(1)"),
    *("a &amp; b", "&lt;", 'q"uote\' onerror="x', "{{ 7 * 7 }}", "{% raw %}", "*star* __under__", "`code`"),
    *("[link](http://a.b)", "two\nlines\tand tab", "bell\x07 and \x1b[31m", "left\u202eright", "é 漢 😀", "x" * 300),
)
#: all of them in one
ALL = " ".join(name for name in NAMES if len(name) < 100)


def hostile_study(name=ALL):
    """The invented study, with models, compounds, mechanisms, plates and assays that are called so."""
    models = {"cloome": f"{name.lstrip('_')} A", "bilinear": f"{name.lstrip('_')} B"}
    study = make_study(models=models)
    words = {"plate1": f"{name} 1", "plate2": f"{name} 2"}
    words |= {f"assay_{i}": f"{name} assay {i}" for i in range(12)}
    words |= {f"mechanism {i}": f"{name} mechanism {i}" for i in range(9)}
    renamed = {key: _rename(value, words) for key, value in study.items()}
    compounds = renamed["compounds"]
    renamed["compounds"] = compounds.assign(name=[f"{name} {i}" for i in range(len(compounds))], moa=f"{name}|other")
    renamed["examples"] = renamed["examples"].assign(moa=f"{name}|other")
    for table in ("rejected_fields", "rejected_compounds"):
        renamed[table] = renamed[table].assign(reason=renamed[table]["reason"] + f": {name}")
    return renamed, models


def _rename(value, words):
    if isinstance(value, Embeddings):
        return Embeddings(_replace(pd.Series(value.keys), words).to_numpy(), value.vectors, value.meta)
    if isinstance(value, pd.DataFrame):
        texts = value.select_dtypes(["object", "str"]).columns
        return value.assign(**{column: _replace(value[column], words) for column in texts if column != "plate_file"})
    return value


def _replace(texts, words):
    for word, name in words.items():
        texts = texts.str.replace(word, name, regex=False)
    return texts
