"""Schemas of the tables of the data report."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import WELL, column, table

_SHARE = pa.Check.in_range(0, 1)
_CHANNELS = "(Mito|ER|RNA|AGP|DNA)"

#: one row per well: its place, and means over its fields
well_quality = table(
    {
        "plate": column(str),
        "well": column(str, WELL),
        "row": column(int, pa.Check.ge(1)),
        "column": column(int, pa.Check.ge(1)),
        "edge": column(bool),  # in the outermost rows and columns of the plate's format
        "control": column(bool),
        "fields": column(int, pa.Check.ge(1)),
        "cells": column(float, required=False, nullable=True),  # nuclei per field
        "focus": column(float, required=False, nullable=True),  # geometric mean over channels
        "saturated": column(float, required=False, nullable=True),  # largest share of a channel
        f"^(focus|saturated|mean)_{_CHANNELS}$": column(float, regex=True, required=False, nullable=True),
    },
    unique=["plate", "well"],
)

#: one row per measurement, basis and factor: how much the place of a well matters
position_effects = table(
    {
        "statistic": column(str),  # column of well_quality
        "basis": column(str, pa.Check.isin(["all wells", "control wells"])),
        "factor": column(str, pa.Check.isin(["row", "column", "edge"])),
        "effect": column(str, pa.Check.isin(["share of variance", "standard deviations"])),  # unit of the value
        "value": column(float),
        "low": column(float),
        "high": column(float),
        "p_value": column(float, _SHARE),
        "wells": column(int, pa.Check.ge(1)),
        "plates": column(int, pa.Check.ge(1)),
    },
    unique=["statistic", "basis", "factor"],
)

#: one row per plate and channel: brightness of corners in relation to the centre, before and after the correction
illumination_evenness = table(
    {
        "plate": column(str),
        "channel": column(str),
        "basis": column(str, pa.Check.isin(["provided", "estimated", "too few fields"])),
        "estimated_from": column(int, pa.Check.ge(0)),  # number of fields
        "held_out": column(bool),  # measured on other fields
        "fields": column(int, pa.Check.ge(0)),  # measured ones
        "largest_gain": column(float, pa.Check.ge(1)),
        "corners_before": column(float, pa.Check.ge(0), nullable=True),
        "low_before": column(float, nullable=True),
        "high_before": column(float, nullable=True),
        "corners_after": column(float, pa.Check.ge(0), nullable=True),
        "low_after": column(float, nullable=True),
        "high_after": column(float, nullable=True),
    },
    unique=["plate", "channel"],
)

_MATCHES = pa.Check.isin(["replicates", "mechanisms"])

#: one row per method and kind of match: mean average precision over compounds
average_precision = table(
    {
        "method": column(str),
        "matches": column(str, _MATCHES),
        "value": column(float, _SHARE, nullable=True),  # null without a query
        "low": column(float, _SHARE, nullable=True),
        "high": column(float, _SHARE, nullable=True),
        "chance": column(float, _SHARE, nullable=True),
        "n": column(int, pa.Check.ge(0)),  # number of compounds
        "groups": column(int, pa.Check.ge(0)),  # compounds, or mechanisms
        "significant": column(float, _SHARE, nullable=True),  # share of groups
        "protocol": column(str),
    },
    unique=["method", "matches"],
)

#: one row per method and compound (replicates) or mechanism
average_precision_groups = table(
    {
        "method": column(str),
        "matches": column(str, _MATCHES),
        "group": column(str),  # InChIKey, or name of the mechanism
        "value": column(float, _SHARE),
        "chance": column(float, _SHARE),
        "queries": column(int, pa.Check.ge(1)),
        "p_value": column(float, _SHARE),
        "corrected_p_value": column(float, _SHARE),
    },
    unique=["method", "matches", "group"],
)

#: one row per method, as it is or corrected for batch effects, and kind of match; controls are divided into parts
average_precision_corrections = table(
    {
        "matches": column(str, _MATCHES),
        "method": column(str),
        "value": column(float, _SHARE, nullable=True),  # null without a query
        "low": column(float, _SHARE, nullable=True),
        "high": column(float, _SHARE, nullable=True),
        "chance": column(float, _SHARE, nullable=True),
        "n": column(int, pa.Check.ge(0)),  # number of compounds
        "against": column(str, nullable=True),  # the method as it is
        "difference": column(float, nullable=True),  # mean over compounds
        "difference_low": column(float, nullable=True),  # bootstrap over compounds
        "difference_high": column(float, nullable=True),
    },
    unique=["matches", "method"],
)
