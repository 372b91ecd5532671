"""Attention weights of the fields of a compound."""

import torch
from torch import nn

_HIDDEN = 128


class FieldAttention(nn.Module):
    """Logit of each field, from its embedding h before it is scaled: w^T tanh(V h).

    The softmax of the logits over the fields of a compound are their weights (Ilse, Tomczak and Welling,
    Attention-based Deep Multiple Instance Learning, ICML 2018, eq. 7 and 8). w starts as zeros, so that all fields have
    the same weight at first.

    Parameters
    ----------
    size
        Length of the embeddings.

    Examples
    --------
    >>> FieldAttention(3)(torch.ones(2, 3)).tolist()
    [0.0, 0.0]
    """

    def __init__(self, size: int):
        super().__init__()
        self.hidden = nn.Linear(size, _HIDDEN, bias=False)
        self.logit = nn.Linear(_HIDDEN, 1, bias=False)
        nn.init.zeros_(self.logit.weight)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Give logits: (N, d) -> (N,)."""
        return self.logit(torch.tanh(self.hidden(embeddings))).squeeze(-1)
