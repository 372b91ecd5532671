"""The phenotype axes of the virtual screen: what a treatment can do to a cell, as a vector.

A phenotype is a float vector over :data:`AXES`. On every axis 0 is the untreated cell, 1 a strong effect in the sense
of the axis' meaning and -1 the same in the opposite sense (half as many nucleoli, dimmer mitochondria). Values beyond
+-:data:`LIMIT` saturate. Axes whose untreated cell shows next to nothing of the trait (:data:`ONE_SIDED`) ignore
negative values. Every axis changes the rendered images.
"""

#: axis -> what +1 does to the untreated cell
MEANINGS: dict[str, str] = {
    "cell_count": "twice as many cells in the field (-1: half; cell death, arrest, or loss in washing)",
    "nucleus_size": "nuclei a third wider",
    "nucleus_irregularity": "lobed, kidney-shaped or crumpled nuclear outlines",
    "nucleus_intensity": "DNA stain in nuclei 1.6 times as bright (condensation, G2 arrest)",
    "chromatin_texture": "coarse, clumped chromatin instead of an even one",
    "multinucleation": "more than half of the cells have two or three smaller nuclei",
    "mitotic": "a third of the cells stand in mitosis: small, round, bright, with condensed DNA",
    "cell_size": "cell bodies reach 1.4 times as far from their nucleus",
    "elongation": "cells drawn out along their axis to twice the aspect ratio, nuclei a third",
    "rounding": "cells retracted into bright balls with bare ground between them",
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

LIMIT = 2.0

#: the axes in the order of a phenotype vector
AXES: tuple[str, ...] = tuple(MEANINGS)

#: axes on which negative values do nothing, since the untreated cell has next to nothing to lose
ONE_SIDED: frozenset[str] = frozenset(
    {"nucleus_irregularity", "multinucleation", "mitotic", "rounding", "vacuoles", "dna_background"}
)
