"""The model card of a fit: the README.md of its artifact, with the metadata that the hub reads."""

from thawline.report.card.card import CARD, model_card, write_card

__all__ = ["CARD", "model_card", "write_card"]
