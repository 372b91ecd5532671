"""Registry of encoders: networks from the input of a view to an embedding.

An encoder is a frozen dataclass. Its fields are its settings, and its method ``build`` makes the network, see
:class:`~cloome_kedro.learning.encoders.base.Encoder`. To add one, write a file and register it here by one line, or
register it in your own module by ``ENCODERS.register``. ``parameters=False`` marks an encoder without trainable
parameters.
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
