"""The axes of a phenotype: the ways in which a treatment can change a cell of the virtual screen.

A phenotype is a vector with one float per axis, in the order of :data:`AXES`. On every axis, 0 is the untreated cell,
and 1 is a strong effect, as :data:`MEANINGS` describes it. -1 is an equally strong effect in the opposite direction,
for example half as many nucleoli or dimmer mitochondria. Rendering clips values to ``-LIMIT`` to ``LIMIT``, and
negative values on the axes in :data:`ONE_SIDED` to 0. Every axis changes the rendered images.
"""

#: axis -> effect of the value 1 on an untreated cell, and of -1 where it is not simply the opposite
MEANINGS: dict[str, str] = {
    "cell_count": "twice as many cells in the field (-1: half; cell death, arrest, or loss in washing)",
    "nucleus_size": "nuclei a third wider",
    "nucleus_irregularity": "lobed, kidney-shaped or crumpled nuclear outlines",
    "nucleus_intensity": "DNA stain in nuclei 1.6 times as bright (condensation, G2 arrest)",
    "chromatin_texture": "coarse, clumped chromatin instead of even chromatin",
    "multinucleation": "more than half of the cells have two or three smaller nuclei",
    "mitotic": "a third of the cells are in mitosis: small, round and bright, with condensed DNA",
    "cell_size": "cell bodies reach 1.4 times as far from their nucleus",
    "elongation": "cell bodies have twice the aspect ratio, and nuclei 1.35 times",
    "rounding": "cells retracted into bright balls with empty background between them",
    "mito_intensity": "mitochondrial stain 1.7 times as bright (-1: depolarised, dim)",
    "mito_fragmentation": "mitochondria in dots instead of a network of threads (-1: fused, longer)",
    "mito_perinuclear": "mitochondria collapsed onto the nucleus (-1: spread to the cell's edge)",
    "er_intensity": "endoplasmic reticulum stain 1.7 times as bright",
    "er_texture": "reticulum in coarse patches and whorls instead of an even haze",
    "rna_intensity": "cytoplasmic RNA stain 1.7 times as bright",
    "nucleoli_size": "nucleoli 1.5 times as wide",
    "nucleoli_count": "twice as many nucleoli a nucleus (-1: half as many; nucleolar stress)",
    "actin_intensity": "actin and membrane stain 1.7 times as bright",
    "actin_fibres": "more stress fibres, 1.7 times as bright (-1: few, diffuse actin)",
    "golgi_dispersal": "Golgi scattered over the cell in small pieces instead of one ribbon at the nucleus",
    "golgi_intensity": "Golgi 1.7 times as bright",
    "vacuoles": "dark round holes in the cytoplasm of all its stains",
    "dna_background": "cytoplasm and medium glow in the DNA channel (fluorescent or intercalating compounds)",
}

#: largest absolute value of an axis that is rendered
LIMIT = 2.0

#: names of the axes, in the order of a phenotype vector
AXES: tuple[str, ...] = tuple(MEANINGS)

#: axes on which negative values have no effect, because an untreated cell shows almost nothing of the trait
ONE_SIDED: frozenset[str] = frozenset(
    {"nucleus_irregularity", "multinucleation", "mitotic", "rounding", "vacuoles", "dna_background"}
)
