"""The command line: verbs only. Whatever needs torch is imported when a verb runs."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from thawline import __version__
from thawline.compat import bound_kernel_cache
from thawline.config import (
    SMALL_RUN,
    Config,
    DataConfig,
    HeadConfig,
    PrefixConfig,
    TokensConfig,
    TrainingConfig,
)
from thawline.errors import ThawlineError

app = typer.Typer(
    help="Turn a pretrained transformer into a text classifier, and see what it is worth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
store_app = typer.Typer(
    help="Look at, or empty, the store of frozen states.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(store_app, name="store")

Data = Annotated[str | None, typer.Option(help="A set's name, a hub id, a file or a folder.")]
LabelNames = Annotated[
    str | None, typer.Option("--labels", help="Names of the classes, in ascending order: neg,pos.")
]
TextColumn = Annotated[str | None, typer.Option("--text", help="The column of texts.")]
LabelColumn = Annotated[str | None, typer.Option("--label", help="The column of labels.")]
Small = Annotated[
    bool,
    typer.Option("--small", help=f"Draw {SMALL_RUN[0]:,} train and {SMALL_RUN[1]:,} test rows."),
]
Limit = Annotated[str | None, typer.Option(help="Draw N train and M test rows: N,M.")]
BackboneName = Annotated[
    str, typer.Option("--backbone", help="A model's folder, packaged name or hub id.")
]
StrategyText = Annotated[
    str, typer.Option("--strategy", help="head, last:k, lora:r=4,alpha=32, full, gradual, lp+full.")
]
HeadText = Annotated[str | None, typer.Option("--head", help="linear, mlp:H or native.")]
Pooling = Annotated[str | None, typer.Option(help="first, last or mean.")]
FeaturesText = Annotated[
    str | None, typer.Option("--features", help="last, a stage's number, or layers (all of them).")
]
MaxLength = Annotated[int | None, typer.Option(help="Tokens kept of each text.")]
TruncationSide = Annotated[str, typer.Option(help="The side that is cut off: right or left.")]
Epochs = Annotated[
    int | None,
    typer.Option(help="Train the head by epochs; a linear head is fitted exactly without."),
]
BatchSize = Annotated[int, typer.Option(help="Texts in a step.")]
LearningRate = Annotated[
    float | None, typer.Option("--lr", help="Learning rate; each strategy has its own.")
]
Seed = Annotated[int, typer.Option(help="Of the head's first weights and the order of texts.")]
Standardise = Annotated[
    bool,
    typer.Option(
        "--standardise/--no-standardise", help="Scale features over train before the head."
    ),
]
Dtype = Annotated[str, typer.Option(help="Of the frozen pass: auto, float32 or bfloat16.")]
Out = Annotated[Path | None, typer.Option(help="The run's folder; a new one below runs/ without.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON on standard output and nothing else.")
]
RunPath = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved classifier's.")
]
Split = Annotated[str, typer.Option(help="train, validation, test or all.")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Turn a pretrained transformer into a text classifier, and see what it is worth."""
    if version:
        typer.echo(f"thawline {__version__}")
        raise typer.Exit


@app.command()
def fit(
    data: Data = DataConfig.data,
    backbone: BackboneName = Config.backbone,
    strategy: StrategyText = Config.strategy,
    labels: LabelNames = None,
    small: Small = False,
    limit: Limit = None,
    head: HeadText = HeadConfig.head,
    pooling: Pooling = HeadConfig.pooling,
    features: FeaturesText = HeadConfig.features,
    standardise: Standardise = HeadConfig.standardise,
    max_length: MaxLength = TokensConfig.max_length,
    truncation_side: TruncationSide = TokensConfig.truncation_side,
    epochs: Epochs = TrainingConfig.epochs,
    batch_size: BatchSize = TrainingConfig.batch_size,
    lr: LearningRate = TrainingConfig.lr,
    seed: Seed = Config.seed,
    text: TextColumn = DataConfig.text,
    label: LabelColumn = DataConfig.label,
    dtype: Dtype = PrefixConfig.dtype,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Adapt a backbone to labelled texts; evaluate, save and prove the classifier."""
    config = Config(
        backbone=backbone,
        strategy=strategy,
        seed=seed,
        data=_data_config(_required(data, "--data"), labels, small, limit, text, label),
        tokens=TokensConfig(max_length, truncation_side),
        prefix=PrefixConfig(dtype=_checked_dtype(dtype)),
        head=HeadConfig(head, pooling, features, standardise),
        training=TrainingConfig(epochs=epochs, batch_size=batch_size, lr=lr),
    )
    from thawline.job import fit_run
    from thawline.progress import TerminalReporter
    from thawline.runs import default_folder

    record = fit_run(config, default_folder(config) if out is None else out, TerminalReporter())
    if as_json:
        _print_json(record)
    else:
        from thawline.report.terminal import print_fit

        print_fit(record)


@app.command()
def predict(
    run: RunPath,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT...", help="Texts; without, lines of standard input."),
    ] = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or auto.")] = "float32",
    as_json: Json = False,
) -> None:
    """Classify texts with a saved classifier."""
    from thawline import artifact
    from thawline.inference import prediction_records, text_logits
    from thawline.metrics import probabilities
    from thawline.progress import Reporter

    given = texts if texts else [line.rstrip("\n") for line in sys.stdin]
    if not given:
        raise ThawlineError("at least one text", "none", 'write thawline predict RUN "a text"')
    fitted = artifact.load(run)
    shares = probabilities(
        text_logits(fitted, given, PrefixConfig(), Reporter(), dtype=_checked_dtype(dtype))
    )
    records = prediction_records(fitted, given, shares)
    if as_json:
        for record in records:
            _print_json(record)
    else:
        from thawline.report.terminal import print_predictions

        print_predictions(records)


@app.command()
def evaluate(
    run: RunPath,
    data: Data = DataConfig.data,
    split: Split = "test",
    small: Small = False,
    limit: Limit = None,
    text: TextColumn = DataConfig.text,
    label: LabelColumn = DataConfig.label,
    dtype: Dtype = PrefixConfig.dtype,
    as_json: Json = False,
) -> None:
    """Score a saved classifier; without --data on the run's own rows of --split."""
    from thawline.job import evaluate_run
    from thawline.progress import TerminalReporter

    config = None if data is None else _data_config(data, None, small, limit, text, label)
    prefix = PrefixConfig(dtype=_checked_dtype(dtype))
    scores = evaluate_run(run, config, split, prefix, TerminalReporter())
    if as_json:
        _print_json(scores)
    else:
        from thawline.report.terminal import print_evaluation

        print_evaluation(scores)


@app.command()
def info(
    backbone: BackboneName = Config.backbone,
    strategy: StrategyText = Config.strategy,
    labels: LabelNames = None,
    head: HeadText = HeadConfig.head,
    pooling: Pooling = HeadConfig.pooling,
    features: FeaturesText = HeadConfig.features,
    as_json: Json = False,
) -> None:
    """Print a backbone's stages, the thaw line and what would train, without any data."""
    from thawline.describe import describe

    names = ("0", "1") if labels is None else _names(labels)
    config = Config(backbone, strategy, head=HeadConfig(head, pooling, features))
    described = describe(config, n_labels=len(names))
    if as_json:
        _print_json(described)
    else:
        from thawline.report.terminal import print_info

        print_info(described)


@store_app.command("ls")
def store_ls(as_json: Json = False) -> None:
    """List what the store holds."""
    from thawline import store

    found = store.entries()
    if as_json:
        for entry in found:
            _print_json(entry)
    else:
        from thawline.report.terminal import print_store

        print_store(found, store.home())


@store_app.command("clear")
def store_clear(as_json: Json = False) -> None:
    """Delete all frozen states; they are computed again when they are needed."""
    from thawline import store

    freed = store.clear()
    if as_json:
        _print_json({"freed_bytes": freed})
    else:
        typer.echo(f"freed {freed / 1e6:,.1f} MB in {store.home() / 'store'}")


def _data_config(
    data: str,
    labels: str | None,
    small: bool,
    limit: str | None,
    text: str | None,
    label: str | None,
) -> DataConfig:
    if small and limit is not None:
        raise ThawlineError("--small or --limit", "both", "leave one of them out")
    path = Path(data)
    return DataConfig(
        data=str(path.absolute()) if path.exists() else data,
        text=text,
        label=label,
        labels=None if labels is None else _names(labels),
        limit=SMALL_RUN if small else _rows(limit),
    )


def _required(value: str | None, option: str) -> str:
    if value is None:
        raise ThawlineError(option, "none", f"add {option} with a set's name, a file or a folder")
    return value


def _names(labels: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in labels.split(","))


def _rows(limit: str | None) -> tuple[int, int] | None:
    if limit is None:
        return None
    train, comma, test = limit.partition(",")
    if comma and train.strip().isdecimal() and test.strip().isdecimal():
        return int(train), int(test)
    raise ThawlineError(
        "--limit as two whole numbers, N,M", f"'{limit}'", "write --limit 4000,2000"
    )


def _checked_dtype(dtype: str) -> str:
    if dtype not in ("auto", "float32", "bfloat16"):
        from thawline.errors import did_you_mean

        raise ThawlineError(
            "a dtype", f"'{dtype}'", did_you_mean(dtype, ["auto", "float32", "bfloat16"])
        )
    return dtype


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    sys.stderr.write(f"warning: {message}\n")


def main() -> None:
    """Run the command line: an error that the user can mend is one line and exit code 2."""
    warnings.showwarning = _show_warning
    bound_kernel_cache()
    debug = "--debug" in sys.argv
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        code = command(standalone_mode=False)
    except ThawlineError as error:
        if debug:
            raise
        sys.stderr.write(f"error: {error}\n")
        code = 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    sys.exit(code)
