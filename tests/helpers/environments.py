"""What the project's environments configure."""

from functools import cache
from pathlib import Path
from typing import Any

from kedro.config import OmegaConfigLoader
from kedro.pipeline import Pipeline

from cloome_kedro.pipeline_registry import register_pipelines
from cloome_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[2]
#: all but those of real data, whose catalogs need the environment variable CLOOME_DATA
WITHOUT_DATA = ("base", "test", "profile_model", "paper")
ENVIRONMENTS = (*WITHOUT_DATA, "jump_example", "jump_moa")


def configured(kind: str, env: str = "base", **runtime_params: Any) -> dict[str, Any]:
    """``globals``, ``parameters`` or ``catalog`` of an environment, as a run with these ``--params`` has them.

    A loader's resolvers are those of the loader that was made last, so each is asked at once.
    """
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=env, runtime_params=runtime_params, **CONFIG_LOADER_ARGS)
    return loader[kind]


@cache
def pipelines_of(env: str) -> dict[str, Pipeline]:
    """The registered pipelines of an environment."""
    return register_pipelines({kind: configured(kind, env) for kind in ("globals", "parameters")})
