"""Prepare a fit: open what its strategy reads, and check all settings.

`Prepared` and `PreparedWords` have the same methods, so that jobs do not depend on whether a fit
has a backbone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from thawline.backbones.loading import Backbone
from thawline.config import Config
from thawline.data import Dataset, LabelledTexts, Labels
from thawline.data.augmentation import Augmentation, parse_augmentation
from thawline.data.lengths import Tokenization, WordCount
from thawline.prefix.report import PassReport
from thawline.runtime.progress import Reporter
from thawline.store import KeyedTexts
from thawline.strategies import parse_strategy
from thawline.training.advice import few_rows_per_class, fit_warnings, transfer_warnings
from thawline.training.plan import Plan, WordsPlan, make_plan, make_words_plan
from thawline.training.states import NOTHING_LATER, FrozenStates, LaterStates, run_prefix
from thawline.training.task import Task, WordsTask


@dataclass(frozen=True)
class Prepared:
    """A fit with a backbone.

    Attributes:
        config: The settings.
        plan: The plan.
        backbone: The backbone.
        later: The states that later fits need.
        augmentation: How the training texts are altered. None if they are not.
    """

    config: Config
    plan: Plan
    backbone: Backbone
    later: LaterStates = NOTHING_LATER
    augmentation: Augmentation | None = None

    @property
    def name(self) -> str:
        """The strategy and the backbone, for the title of a plot."""
        return f"{self.plan.strategy} on {self.backbone.name}"

    def tokenization(self) -> Tokenization:
        """Return how the texts are tokenised."""
        side = self.config.tokens.truncation_side
        return Tokenization(self.backbone.tokenizer, self.plan.max_length, side)

    def warnings(self, dataset: Dataset) -> Iterator[str]:
        """Yield one line for each setting that is unlikely to help on a data set."""
        yield from fit_warnings(dataset, self.backbone, self.plan, self.config)

    def transfer_warnings(self, dataset: Dataset) -> Iterator[str]:
        """Yield a line if the backbone is a classifier of another task."""
        yield from transfer_warnings(self.backbone, dataset)

    def task(
        self,
        labels: Labels,
        parts: Mapping[str, LabelledTexts],
        reporter: Reporter,
        row_weights: Tensor | None = None,
        class_weights: Tensor | None = None,
    ) -> tuple[Task, FrozenStates]:
        """Run the frozen prefix over all texts, and return the task with the states.

        Altered copies are added to the training texts first.

        Args:
            labels: The classes.
            parts: The labelled texts of each split.
            reporter: Receives progress and messages.
            row_weights: The weights of the training texts, as in `Task`.
            class_weights: The weights of the classes, as in `Task`.

        Raises:
            ThawlineError: If neither the store nor memory has space for pooled states.
        """
        plan, backbone, config = self.plan, self.backbone, self.config
        parts, row_weights, copies = _with_copies(self, parts, row_weights, reporter)
        frozen = run_prefix(backbone, plan, config, parts, reporter, self.later)
        weights = row_weights, class_weights
        task = Task(backbone, plan, config, labels, parts, frozen, *weights, copies)
        return task, frozen


@dataclass(frozen=True)
class PreparedWords:
    """A fit without a backbone. The attributes and the methods are those of `Prepared`."""

    config: Config
    plan: WordsPlan
    backbone: None = None
    augmentation: Augmentation | None = None

    @property
    def name(self) -> str:
        """The strategy, for the title of a plot."""
        return str(self.plan.strategy)

    def tokenization(self) -> WordCount:
        """Return how the texts are counted."""
        return WordCount()

    def warnings(self, dataset: Dataset) -> Iterator[str]:
        """Yield one line for each setting that is unlikely to help on a data set."""
        yield from few_rows_per_class(dataset)

    def transfer_warnings(self, dataset: Dataset) -> Iterator[str]:
        """Yield nothing, because there is no backbone."""
        yield from ()

    def task(
        self,
        labels: Labels,
        parts: Mapping[str, LabelledTexts],
        reporter: Reporter,
        row_weights: Tensor | None = None,
        class_weights: Tensor | None = None,
    ) -> tuple[WordsTask, FrozenStates]:
        """Return the task, and states of no text."""
        parts, row_weights, copies = _with_copies(self, parts, row_weights, reporter)
        texts = {name: KeyedTexts(part.texts) for name, part in parts.items()}
        frozen = FrozenStates(texts, None, {}, PassReport())
        weights = row_weights, class_weights
        task = WordsTask(self.plan, self.config, labels, parts, *weights, copies)
        return task, frozen


def prepare(config: Config, open_backbone: Callable[[], Backbone]) -> Prepared | PreparedWords:
    """Check the settings of a fit, and open its backbone if the strategy has one.

    Args:
        config: The settings.
        open_backbone: Returns the backbone. It is called only if the strategy has one.

    Raises:
        ThawlineError: If a setting is invalid, or if the backbone cannot be opened.
    """
    augmentation = parse_augmentation(config.training.augment)
    if augmentation is not None:
        augmentation.check()
    if not parse_strategy(config.strategy).reads_states:
        return PreparedWords(config, make_words_plan(config), augmentation=augmentation)
    backbone = open_backbone()
    plan = make_plan(backbone, config)
    return Prepared(config, plan, backbone, augmentation=augmentation)


def _with_copies(
    fit: Prepared | PreparedWords,
    parts: Mapping[str, LabelledTexts],
    row_weights: Tensor | None,
    reporter: Reporter,
) -> tuple[Mapping[str, LabelledTexts], Tensor | None, int]:
    """Add altered copies to the training texts.

    A copy has the weight of its text, so that the classes keep their shares of the weight.

    Returns:
        The splits, the weights of the training texts and the number of copies of each text.
    """
    if fit.augmentation is None:
        return parts, row_weights, 0
    copies, texts = fit.augmentation.copies, len(parts["train"])
    reporter.message(f"training on {copies * texts:,} altered copies of {texts:,} texts too")
    train = fit.augmentation.applied_to(parts["train"], fit.config.seed)
    weights = None if row_weights is None else row_weights.repeat(copies + 1)
    return {**parts, "train": train}, weights, copies
