"""The scikit-learn estimator `TextClassifier`."""

from thawline.classifier.estimator import TextClassifier

__all__ = ["TextClassifier"]
