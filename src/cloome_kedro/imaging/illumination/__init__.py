"""Correction of uneven illumination: one function per plate and channel, by which raw images are divided.

`provided` finds functions that a screen brings, and `estimate` makes them from the images of a plate. `plate` applies
them while a plate is ingested, and keeps them with their effect, which `evenness` measures.
"""
