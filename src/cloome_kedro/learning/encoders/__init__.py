"""Encoders: from a view's input to an embedding, by name.

An encoder is a frozen dataclass of its settings, whose method ``build`` makes the network; see
:class:`~cloome_kedro.learning.encoders.base.Encoder`. A new encoder is one file and one line here, or a class that a
module of your own registers by ``ENCODERS.register``. The fact ``parameters=False`` says that an encoder has nothing to
learn.
"""

from typing import Any

from cloome_kedro.registry import Registry

ENCODERS: Registry[Any] = Registry("encoder")
ENCODERS.add("resnet", "cloome_kedro.learning.encoders.resnet:ResNet")
ENCODERS.add("resnet18", "cloome_kedro.learning.encoders.torchvision_resnet:ResNet18")
ENCODERS.add("resnet50", "cloome_kedro.learning.encoders.torchvision_resnet:ResNet50")
ENCODERS.add("mlp", "cloome_kedro.learning.encoders.mlp:MLP")
ENCODERS.add("linear", "cloome_kedro.learning.encoders.linear:Linear")
ENCODERS.add("identity", "cloome_kedro.learning.encoders.identity:Identity", parameters=False)
