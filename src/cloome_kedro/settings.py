"""Settings of the Kedro project: see https://docs.kedro.org/en/stable/configure/configuration_basics/ ."""

import warnings
from pathlib import Path

from kedro.config import OmegaConfigLoader
from kedro.utils import find_kedro_project
from omegaconf.resolvers import oc

from cloome_kedro.hooks import EnvironmentPipelines, KnownPreset, ResultsLast, UserModules

# Kedro 1.7's own call, under omegaconf 2.4; nothing that a user could do about
warnings.filterwarnings("ignore", message="register_new_resolver")


def in_project(path: str) -> str:
    """Absolute path of a file of the project, wherever a notebook or command is started in it."""
    return str((find_kedro_project(Path.cwd()) or Path.cwd()) / path)


HOOKS = (UserModules(), EnvironmentPipelines(), KnownPreset(), ResultsLast())

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # an environment changes single parameters, not whole groups
    "merge_strategy": {"parameters": "soft"},
    # ${oc.env:NAME}: folders of real data, which differ from machine to machine
    # ${project:PATH}: files of the project where a parameter wants an absolute path
    "custom_resolvers": {"oc.env": oc.env, "project": in_project},
}
