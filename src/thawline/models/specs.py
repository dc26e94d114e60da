"""The written form of a classification head. Reading it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from thawline.config.training import MLP_DROPOUT
from thawline.errors import ThawlineError, did_you_mean

MAX_HIDDEN_WIDTH = 1_000_000
"""Maximum width of an MLP head's hidden layer. Wider layers do not fit in memory."""


@dataclass(frozen=True)
class HeadSpec:
    """A parsed ``--head``: ``linear``, ``mlp:H`` or ``native``.

    Attributes:
        kind: ``linear``, ``mlp`` or ``native``.
        hidden: Width of the hidden layer of an ``mlp``. None for the other kinds.
    """

    kind: str
    hidden: int | None = None

    def __str__(self) -> str:
        return self.kind if self.hidden is None else f"{self.kind}:{self.hidden}"

    def dropout(self, given: float | None) -> float:
        """Return the dropout of this head.

        Args:
            given: The dropout that the user gave. If None, the default of this kind of head.
        """
        if given is not None:
            return given
        return MLP_DROPOUT if self.kind == "mlp" else 0.0


def parse_head(text: str) -> HeadSpec:
    """Parse the written form of a head.

    Args:
        text: ``linear``, ``mlp:H`` with an integer H, or ``native``.

    Raises:
        ThawlineError: If the text has another form.
    """
    kind, _, hidden = text.partition(":")
    if kind == "mlp":
        if hidden.isdecimal() and 0 < int(hidden[:100]) <= MAX_HIDDEN_WIDTH:
            return HeadSpec("mlp", int(hidden))
        raise ThawlineError(
            f"mlp:H with an integer H between 1 and {MAX_HIDDEN_WIDTH:,}",
            f"'{text}'",
            "use for example `head.head=mlp:64`",
            setting="head.head",
        )
    if kind in ("linear", "native") and not hidden:
        return HeadSpec(kind)
    fix = did_you_mean(text, ["linear", "mlp:64", "native"])
    raise ThawlineError("a head: linear, mlp:H or native", f"'{text}'", fix, setting="head.head")
