"""Compounds with made-up InChIKeys, for splits that look at keys and scaffolds alone."""

import pandas as pd


def made_up_key(block: int, stereo: int = 0) -> str:
    """An InChIKey: its first block tells the structure, its second the stereoisomer."""
    letters = "".join(chr(65 + (block // 26**i) % 26) for i in range(14))
    return f"{letters}-{chr(65 + stereo)}HFFFAOYSA-N"


def made_up_compounds(blocks, scaffolds) -> pd.DataFrame:
    """Columns inchikey, block and scaffold, one row per entry; equal blocks get different stereo layers."""
    keys = [made_up_key(block, list(blocks[:i]).count(block)) for i, block in enumerate(blocks)]
    return pd.DataFrame(
        {"inchikey": keys, "block": [key[:14] for key in keys], "scaffold": [f"S{scaffold}" for scaffold in scaffolds]}
    )
