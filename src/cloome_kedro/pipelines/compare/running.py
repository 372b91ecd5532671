"""Embeddings of the models of a comparison, trained with one seed on one split."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cloome_kedro.parameters import EmbeddingParameters, ProbingParameters
from cloome_kedro.parameters.model import FusionParameters, ModelParameters, RidgeParameters


@dataclass(frozen=True)
class ComparisonData:
    """Data of all trainings of a comparison on one split.

    Attributes
    ----------
    examples, fields, compounds, compound_keys, labels : pandas.DataFrame
        Tables of these names.
    sources
        Datasets that the views of the models read, by name.
    probing, embedding
        Parameters of these names.
    states
        Folder of trainings and pre-trainings of all seeds. Interrupted ones continue, and finished ones are used.
    run_store : cloome_kedro.run_store.RunStore
        Record of runs; None: trainings are not recorded.
    """

    examples: Any
    fields: Any
    compounds: Any
    compound_keys: Any
    labels: Any
    sources: Mapping[str, Any]
    probing: ProbingParameters
    embedding: EmbeddingParameters
    states: Path
    run_store: Any = None


@dataclass
class SeedOfComparison:
    """The models of a comparison with one seed.

    Attributes
    ----------
    data
        Data of the trainings.
    settings
        Name of each model -> its validated settings. Parts of a fusion come before it.
    reads
        Name of each model -> names of the sources that it reads: for its fields, for its compounds, and in all.
    seed
        Seed of the trainings.
    folders
        Name of each model -> folder of its training, below the folder of the data.
    """

    data: ComparisonData
    settings: Mapping[str, ModelParameters | RidgeParameters | FusionParameters]
    reads: Mapping[str, Mapping[str, tuple[str, ...]]]
    seed: int
    folders: Mapping[str, str]
    _checkpoints: dict[str, Any] = field(default_factory=dict)
    _embeddings: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def identity(self, name: str) -> Any:
        """JSON value that differs if the embeddings of a model differ."""
        settings = self.settings[name]
        if isinstance(settings, ModelParameters):
            return self._checkpoint(name).weights
        if isinstance(settings, FusionParameters):
            return [settings.model_dump(mode="json"), *(self.identity(part) for part in settings.parts)]
        return self.embeddings(name)[0].meta["weights"]

    def embeddings(self, name: str) -> tuple[Any, Any]:
        """Embeddings of the fields of all folds and of all compounds, by a model."""
        if name not in self._embeddings:
            self._embeddings[name] = self._embed(name)
        return self._embeddings[name]

    def _embed(self, name: str) -> tuple[Any, Any]:
        from cloome_kedro.pipelines.embedding.fusion import fuse_models
        from cloome_kedro.pipelines.embedding.nodes import embed_compounds, embed_fields
        from cloome_kedro.pipelines.training.ridge import fit_ridge

        data, settings = self.data, self.settings[name]
        if isinstance(settings, FusionParameters):
            parts = {part: self.embeddings(part) for part in settings.parts}
            named = {f"{part}_fields": fields for part, (fields, _) in parts.items()}
            named |= {f"{part}_compounds": compounds for part, (_, compounds) in parts.items()}
            return fuse_models(data.examples, settings, self.seed, **named)[:2]
        if isinstance(settings, RidgeParameters):
            return fit_ridge(
                examples=data.examples,
                fields=data.fields,
                compounds=data.compounds,
                model=settings,
                seed=self.seed,
                subfolder=self.folders[name],
                run_store=data.run_store,
                **self._sources(name, "all"),
            )[:2]
        checkpoint = self._checkpoint(name)
        return (
            embed_fields(checkpoint, data.fields, data.embedding, **self._sources(name, "field")),
            embed_compounds(checkpoint, data.compounds, data.embedding, **self._sources(name, "compound")),
        )

    def _checkpoint(self, name: str):
        """Checkpoint of a contrastive model, which is trained if no finished training is found."""
        from cloome_kedro.pipelines.training.nodes import pretrain, select_checkpoint, train

        if name not in self._checkpoints:
            data, settings = self.data, self.settings[name]
            assert isinstance(settings, ModelParameters)
            common: dict[str, Any] = {"examples": data.examples, "model": settings, "seed": self.seed}
            common |= {"subfolder": self.folders[name], "run_store": data.run_store}
            common |= self._sources(name, "all")
            pretrained = None
            if settings.pretrain is not None:
                pretrained, _ = pretrain(
                    fit_states=data.states / f"seed_{self.seed}",
                    fields=data.fields,
                    compound_keys=data.compound_keys,
                    **common,
                )
            if "fields" in self.reads[name]["all"]:  # a view that scales by controls reads this table
                common["fields"] = data.fields
            checkpoints, _ = train(
                fit_states=data.states,
                labels=data.labels,
                probing=data.probing,
                pretrained=pretrained,
                **common,
            )
            self._checkpoints[name] = select_checkpoint(checkpoints, settings)
        return self._checkpoints[name]

    def _sources(self, name: str, which: str) -> dict[str, Any]:
        """Datasets that the views of a model read, except ``fields``, which is an argument of its own."""
        return {source: self.data.sources[source] for source in self.reads[name][which] if source != "fields"}
