"""What tests of pictures share."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that are saved, so that a test can look at what they hold."""
    caught: list[Figure] = []
    save = Figure.savefig

    def catch(figure, *args, **kwargs):
        caught.append(figure)
        return save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", catch)
    return caught
