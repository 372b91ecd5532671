"""Published checkpoints with random weights, and their embeddings by torch.nn.functional alone.

Written from the description of the published model, without the package's encoders.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F

STATISTICS = (47.1314, 40.8138, 53.7692, 46.2656, 28.7243)
SMALL = {"blocks": (1, 2, 1, 1), "width": 4, "bits": 64, "hidden": 8, "layers": 2, "embedding": 6}
PAPER = {"blocks": (3, 4, 6, 3), "width": 64, "bits": 1024, "hidden": 1024, "layers": 4, "embedding": 512}


def state_dict(seed=0, batch_norm=True, *, blocks, width, bits, hidden, layers, embedding):
    """Tensors by their published names."""
    rng = torch.Generator().manual_seed(seed)
    tensors = {"logit_inv_tau": torch.tensor(2.66)}

    def weight(name, *shape):
        fan_in = shape[1] * (shape[2] * shape[3] if len(shape) == 4 else 1)
        tensors[f"{name}.weight"] = torch.randn(shape, generator=rng) * (2 / fan_in) ** 0.5

    def norm(name, n):
        for part in ("weight", "bias", "running_mean", "running_var"):
            small = part in ("bias", "running_mean")  # large ones would drown the input
            tensors[f"{name}.{part}"] = torch.rand(n, generator=rng) * (0.2 if small else 1) + (0 if small else 0.5)
        tensors[f"{name}.num_batches_tracked"] = torch.tensor(7)

    weight("visual.conv1", width, 5, 7, 7)
    norm("visual.bn1", width)
    inputs = width
    for stage, count in enumerate(blocks):
        planes = width * 2**stage
        for block in range(count):
            name = f"visual.layer{stage + 1}.{block}"
            for i, shape in enumerate([(planes, inputs, 1, 1), (planes, planes, 3, 3), (4 * planes, planes, 1, 1)], 1):
                weight(f"{name}.conv{i}", *shape)
                norm(f"{name}.bn{i}", shape[0])
            if block == 0:
                weight(f"{name}.downsample.0", 4 * planes, inputs, 1, 1)
                norm(f"{name}.downsample.1", 4 * planes)
            inputs = 4 * planes
    weight("visual.fc", embedding, inputs)
    tensors["visual.fc.bias"] = 0.1 * torch.randn(embedding, generator=rng)
    sizes = [bits] + [hidden] * layers + [embedding]
    for i, (n, m) in enumerate(pairwise(sizes)):
        weight(f"transformer.layers.{i}.0", m, n)
        tensors[f"transformer.layers.{i}.0.bias"] = torch.randn(m, generator=rng)
        if batch_norm and i < layers:
            norm(f"transformer.layers.{i}.1", m)
    return tensors


def write(path, tensors, prefix="module.", **others):
    """What a published training saves."""
    named = {prefix + name: tensor for name, tensor in tensors.items()}
    torch.save({"epoch": 63, "name": "a run", "state_dict": named, "optimizer": {"param_groups": []}, **others}, path)
    return path


def _norm(x, t, name):
    return F.batch_norm(x, *(t[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")))


def images_by_formula(t, images):
    """uint8 (N, 5, H, W), sides of 220 pixels or more -> (N, d), rows of length 1."""
    statistics = torch.tensor(STATISTICS).view(1, 5, 1, 1)
    x = F.conv2d((images.float() - statistics) / statistics, t["visual.conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(F.relu(_norm(x, t, "visual.bn1")), 3, 2, 1)
    for name in [name.removesuffix(".conv1.weight") for name in t if name.endswith(".conv1.weight")][1:]:
        stride = 2 if name.endswith(".0") and "layer1" not in name else 1
        y = F.relu(_norm(F.conv2d(x, t[f"{name}.conv1.weight"]), t, f"{name}.bn1"))
        y = F.relu(_norm(F.conv2d(y, t[f"{name}.conv2.weight"], padding=1), t, f"{name}.bn2"))
        y = _norm(F.conv2d(F.avg_pool2d(y, stride), t[f"{name}.conv3.weight"]), t, f"{name}.bn3")
        if name.endswith(".0"):
            x = F.conv2d(F.avg_pool2d(x, stride), t[f"{name}.downsample.0.weight"])
            x = _norm(x, t, f"{name}.downsample.1")
        x = F.relu(x + y)
    x = F.avg_pool2d(x, 7, 1).mean((2, 3))
    return F.normalize(F.linear(x, t["visual.fc.weight"], t["visual.fc.bias"]))


def structures_by_formula(t, bits):
    """Fingerprints (N, bits) of 0 and 1 -> (N, d), rows of length 1."""
    x, i = bits.float(), 0
    while f"transformer.layers.{i}.0.weight" in t:
        if i:
            x = F.relu(x)
        x = F.linear(x, t[f"transformer.layers.{i}.0.weight"], t[f"transformer.layers.{i}.0.bias"])
        if f"transformer.layers.{i}.1.weight" in t:
            x = _norm(x, t, f"transformer.layers.{i}.1")
        i += 1
    return F.normalize(x)
