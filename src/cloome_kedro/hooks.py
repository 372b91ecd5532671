"""Hooks of the Kedro project."""

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines


class UserModules:
    """Imports the modules that ``globals.yml`` names, so that they can register encoders, views, corruptions, ..."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        from cloome_kedro.registry import load_modules

        load_modules(context.config_loader["globals"]["modules"])


class EnvironmentPipelines:
    """Fits the registered pipelines to the environment.

    The registry cannot see the environment, but what ``kedro run`` should do differs between screens: a real screen is
    not simulated, a published split replaces the random and the scaffold split, and a study has models of its own.
    """

    @hook_impl
    def after_context_created(self, context) -> None:
        from cloome_kedro.pipeline_registry import register_pipelines

        fitted = register_pipelines(context.config_loader)
        for name in set(pipelines) - set(fitted):
            del pipelines[name]
        for name, pipeline in fitted.items():
            pipelines[name] = pipeline


class KnownPreset:
    """Stops a run that asks for a preset which its environment's ``globals.yml`` does not have, before it begins.

    Without presets the name would only become that of a folder, and the default settings would pass for the preset's.
    """

    @hook_impl
    def after_context_created(self, context) -> None:
        presets = context.config_loader["globals"]["presets"]
        chosen = (context.config_loader.runtime_params or {}).get("preset")
        if chosen is None or chosen in presets:
            return
        has = f"has {', '.join(presets)}" if presets else "has none; those of the publication need --env paper"
        env = context.env or "base"
        raise ValueError(f"--params preset={chosen}: there is no such preset; the environment {env} {has}")


class ResultsLast:
    """Prints the tables for the terminal when a run that wrote them has ended, so that no log lines bury them."""

    SUMMARIES = ("summary", "tuning_summary", "profile_moa_summary", "seeds_summary")

    @hook_impl
    def after_pipeline_run(self, pipeline, catalog) -> None:
        for summary in self.SUMMARIES:
            for name in sorted(pipeline.all_outputs()):
                if name.rpartition(".")[2] == summary and (text := catalog.load(name)):
                    print("\n" + text, flush=True)
