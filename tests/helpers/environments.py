"""What the project's environments configure."""

import copy
import json
import os
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline

from cloome_kedro.pipeline_registry import register_pipelines
from cloome_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[2]
#: all but those of real data, whose catalogs need the environment variable CLOOME_DATA
WITHOUT_DATA = ("base", "test", "profile_model", "paper")
ENVIRONMENTS = (
    *WITHOUT_DATA,
    *("jump_example", "jump_moa", "broad6k", "dcm", "wawer_profiles"),
    *("cpg0004", "cpg0012", "cpg0016"),  # screens on S3
)


def configured(kind: str, env: str = "base", **runtime_params: Any) -> dict[str, Any]:
    """``globals``, ``parameters`` or ``catalog`` of an environment, as a run with these ``--params`` has them.

    A loader's resolvers are those of the loader that was made last, so each is asked at once.
    """
    return copy.deepcopy(_configured(kind, env, json.dumps(runtime_params), os.environ.get("CLOOME_DATA"), Path.cwd()))


@cache
def _configured(kind: str, env: str, runtime_params: str, *depends_on: Any) -> dict[str, Any]:
    given = json.loads(runtime_params)
    return OmegaConfigLoader(str(ROOT / "conf"), env=env, runtime_params=given, **CONFIG_LOADER_ARGS)[kind]


def environment(
    folder: Path,
    globals_: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None,
    files: Sequence[str] = (),
    catalog: dict[str, Any] | None = None,
    **runtime_params: Any,
) -> SimpleNamespace:
    """Write the environment ``mine`` beside a copy of conf/base; return Kedro's context, as hooks read it.

    ``files`` are names of further files of the environment.
    """
    conf = folder / "conf"
    shutil.copytree(ROOT / "conf" / "base", conf / "base", dirs_exist_ok=True)
    shutil.rmtree(conf / "mine", ignore_errors=True)
    (conf / "mine").mkdir(parents=True)
    for name, values in (("globals", globals_), ("parameters", parameters), ("catalog", catalog)):
        if values:
            (conf / "mine" / f"{name}.yml").write_text(yaml.safe_dump(values))
    for name in files:
        (conf / "mine" / name).parent.mkdir(exist_ok=True)
        (conf / "mine" / name).write_text("{}")
    loader = OmegaConfigLoader(str(conf), env="mine", runtime_params=runtime_params, **CONFIG_LOADER_ARGS)
    return SimpleNamespace(config_loader=loader, env="mine", project_path=folder)


@cache
def pipelines_of(env: str) -> dict[str, Pipeline]:
    """The registered pipelines of an environment."""
    return register_pipelines({kind: configured(kind, env) for kind in ("globals", "parameters")})
