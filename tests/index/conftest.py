"""Indexes need LanceDB."""

import pytest

pytest.importorskip("lancedb", reason="the extra `index` is not installed")
