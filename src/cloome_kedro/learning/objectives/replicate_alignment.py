"""Alignment of replicates: fields of a compound on different plates get similar embeddings."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.objectives.base import Objective

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReplicateAlignment(Objective):
    """Another objective plus a weighted term that brings together fields of the same compound.

    The term compares the single fields of a batch, by vectors z of length 1. Positives P(a) of a field are the other
    fields of its compound, N(a) are the fields of other compounds. With ``across_plates``, fields of the compound on
    the same plate are neither, since what they have in common can be the plate.

    - ``contrastive``: mean over fields with positives of
      -1/|P(a)| sum_{p in P(a)} log(exp(s <z_a, z_p>) / sum_{b in P(a) or N(a)} exp(s <z_a, z_b>)), with the inverse
      temperature s of the model (supervised contrastive loss, Khosla et al. 2020, equation 2).
    - ``alignment``: mean of ||z_a - z_p||^2 over pairs of a field and a positive (Wang & Isola 2020).

    A batch without positives has the term 0, and so has the validation fold, where each compound has one field. If a
    compound occurs several times in a batch, its pairs are positives in this term. In the other objective they are what
    that objective says.

    Attributes
    ----------
    base
        The other objective: its name, or a mapping of its name and its settings.
    weight
        Weight of the term.
    term
        ``contrastive`` or ``alignment``.
    across_plates
        Whether positives must be on different plates.
    """

    __pydantic_config__: ClassVar[dict] = {"extra": "forbid", "allow_inf_nan": False}

    base: Any = "info_nce"
    weight: float = 0.1
    term: Literal["contrastive", "alignment"] = "contrastive"
    across_plates: bool = True

    def __post_init__(self):
        if not 0 < self.weight < inf:
            raise ValueError(f"ReplicateAlignment: weight must be positive, is {self.weight}")
        if self.term not in ("contrastive", "alignment"):
            raise ValueError(f"ReplicateAlignment: term must be contrastive or alignment, is {self.term}")
        base = {"name": self.base} if isinstance(self.base, str) else self.base
        if not isinstance(base, Mapping) or "name" not in base:
            raise ValueError(f"ReplicateAlignment: base needs a name, one of {', '.join(OBJECTIVES)}")
        inner = OBJECTIVES.make({key: value for key, value in base.items() if value is not None})
        if isinstance(inner, ReplicateAlignment):
            raise ValueError("ReplicateAlignment: base must be another objective")
        # With all settings, so that equal objectives have equal descriptions.
        object.__setattr__(self, "base", OBJECTIVES.describe(inner))

    @cached_property
    def inner(self) -> Objective:
        """The other objective."""
        return OBJECTIVES.make(self.base)

    @property
    def scalars(self) -> Mapping[str, float]:  # type: ignore[override]
        """Those of the other objective."""
        return self.inner.scalars

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the other objective needs, and embeddings, compounds and plates of the single fields."""
        return tuple(dict.fromkeys([*self.inner.needs, "unit", "plate", "fields"]))

    def check_fit(self, config: FitConfig) -> None:
        """Refuse a fit whose batches have only one field of each compound."""
        self.inner.check_fit(config)
        if config.unique_compounds and config.fields_per_compound == 1:
            raise ValueError(
                "the objective replicate_alignment compares fields of the same compound, but with "
                "fit.unique_compounds: true and fit.fields_per_compound: 1 a batch has one field of each compound: set "
                "fit.fields_per_compound to 2 or more"
            )

    def check_data(self, data: PairData) -> None:
        """Refuse a training fold without replicates, and log how many compounds have some."""
        self.inner.check_data(data)
        if self.across_plates and data.plates is None:
            raise ValueError(
                "the objective replicate_alignment needs the plates of the fields: set across_plates to false"
            )
        compounds = data.compound_codes[data.train]
        replicates = data.plates[data.train] if self.across_plates and data.plates is not None else data.train
        pairs = np.unique(np.stack([compounds, replicates]), axis=1)
        counts = np.unique(pairs[0], return_counts=True)[1]
        where = " on two plates" if self.across_plates else ""
        if not (counts > 1).any():
            advice = "set across_plates to false, or choose" if self.across_plates else "choose"
            raise ValueError(
                f"the objective replicate_alignment compares fields of the same compound, but no compound of the "
                f"training fold has two fields{where}: {advice} another objective"
            )
        logger.info("%d of %d training compounds have several fields%s", (counts > 1).sum(), len(counts), where)

    def loss(  # type: ignore[override]
        self,
        field: torch.Tensor,
        compound: torch.Tensor,
        scale: torch.Tensor,
        unit: torch.Tensor,
        plate: torch.Tensor,
        fields: torch.Tensor | None = None,
        **others: torch.Tensor,
    ) -> torch.Tensor:
        loss = self.inner.loss(field=field, compound=compound, scale=scale, unit=unit, plate=plate, **others)
        if fields is None:
            vectors, compounds, plates = field, unit, plate[:, 0]
        else:
            vectors, compounds, plates = fields.flatten(0, 1), unit.repeat_interleave(fields.shape[1]), plate.flatten()
        same = compounds[:, None] == compounds
        positive = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
        if self.across_plates:
            positive &= plates[:, None] != plates
        if not positive.any():
            return loss
        cosines = F.normalize(vectors, dim=1) @ F.normalize(vectors, dim=1).T
        if self.term == "alignment":
            return loss + self.weight * (2 - 2 * cosines[positive]).mean()
        compared = (scale * cosines).masked_fill(~positive & same, -torch.inf)
        logs = torch.log_softmax(compared, dim=1).masked_fill(~positive, 0)
        counts = positive.sum(1)
        return loss - self.weight * (logs.sum(1)[counts > 0] / counts[counts > 0]).mean()
