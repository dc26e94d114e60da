"""The model card of a fit: the README.md of its artifact, with the metadata that the hub reads."""

from thawline.report.card.card import CARD, model_card, write_card
from thawline.report.card.hub import hub_card, is_hub_card

__all__ = ["CARD", "hub_card", "is_hub_card", "model_card", "write_card"]
