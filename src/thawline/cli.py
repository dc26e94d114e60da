"""The command line: verbs only. Whatever needs torch is imported when a verb runs."""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from thawline import __version__
from thawline import options as opt
from thawline.compat import bound_kernel_cache, let_idle_threads_sleep
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

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

_SETTINGS: dict[str, Any] = {
    "invoke_without_command": True,
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, **_SETTINGS)
store_app = typer.Typer(**_SETTINGS)
app.add_typer(store_app, name="store")

# typer's own usage errors (no such option, a word where a number belongs …): their base has no
# public name of its own.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; any verb takes it.")
    ] = False,
) -> None:
    """Turn a pretrained transformer into a text classifier, and see what it is worth."""
    if version:
        typer.echo(f"thawline {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@store_app.callback()
def store_root(context: typer.Context) -> None:
    """Look at, or empty, the store of frozen states."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def fit(
    data: opt.Data = DataConfig.data,
    backbone: opt.BackboneName = Config.backbone,
    strategy: opt.StrategyText = Config.strategy,
    labels: opt.LabelNames = None,
    small: opt.Small = False,
    limit: opt.Limit = None,
    head: opt.HeadText = HeadConfig.head,
    pooling: opt.Pooling = HeadConfig.pooling,
    features: opt.FeaturesText = HeadConfig.features,
    standardise: opt.Standardise = HeadConfig.standardise,
    max_length: opt.MaxLength = TokensConfig.max_length,
    truncation_side: opt.TruncationSide = TokensConfig.truncation_side,
    epochs: opt.Epochs = TrainingConfig.epochs,
    batch_size: opt.BatchSize = TrainingConfig.batch_size,
    lr: opt.LearningRate = TrainingConfig.lr,
    seed: opt.Seed = Config.seed,
    text: opt.TextColumn = DataConfig.text,
    label: opt.LabelColumn = DataConfig.label,
    dtype: opt.Dtype = PrefixConfig.dtype,
    out: opt.Out = None,
    as_json: opt.Json = False,
) -> None:
    """Adapt a backbone to labelled texts. Evaluate, save and prove the classifier."""
    config = Config(
        backbone=backbone,
        strategy=strategy,
        seed=seed,
        data=_data_config(_required(data, "--data"), labels, small, limit, text, label),
        tokens=TokensConfig(max_length, truncation_side),
        prefix=PrefixConfig(dtype=dtype),
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
    run: opt.RunPath,
    texts: opt.Texts = None,
    dtype: opt.PredictDtype = "float32",
    as_json: opt.Json = False,
) -> None:
    """Classify texts with a saved classifier."""
    from thawline import artifact
    from thawline.inference import prediction_records, text_logits
    from thawline.metrics import probabilities
    from thawline.progress import Reporter

    artifact.find(run)  # before standard input is waited for
    given = _given_texts(texts)
    fitted = artifact.load(run)
    shares = probabilities(text_logits(fitted, given, PrefixConfig(), Reporter(), dtype=dtype))
    records = prediction_records(fitted, given, shares)
    if as_json:
        for record in records:
            _print_json(record)
    else:
        from thawline.report.terminal import print_predictions

        print_predictions(records)


@app.command()
def evaluate(
    run: opt.RunPath,
    data: opt.Data = DataConfig.data,
    split: opt.Split = "test",
    small: opt.Small = False,
    limit: opt.Limit = None,
    text: opt.TextColumn = DataConfig.text,
    label: opt.LabelColumn = DataConfig.label,
    dtype: opt.Dtype = PrefixConfig.dtype,
    as_json: opt.Json = False,
) -> None:
    """Score a saved classifier. Without --data: on the run's own rows of --split."""
    from thawline.job import evaluate_run
    from thawline.progress import TerminalReporter

    config = None
    if data is not None:
        config = _data_config(data, None, small, limit, text, label)
    elif small or any(option is not None for option in (limit, text, label)):
        raise ThawlineError(
            "--data beside --small, --limit, --text or --label",
            "no --data, which means the run's own rows",
            "add --data, or leave the others out",
        )
    scores = evaluate_run(run, config, split, PrefixConfig(dtype=dtype), TerminalReporter())
    if as_json:
        _print_json(scores)
    else:
        from thawline.report.terminal import print_evaluation

        print_evaluation(scores)


@app.command()
def info(
    backbone: opt.BackboneName = Config.backbone,
    strategy: opt.StrategyText = Config.strategy,
    labels: opt.LabelNames = None,
    head: opt.HeadText = HeadConfig.head,
    pooling: opt.Pooling = HeadConfig.pooling,
    features: opt.FeaturesText = HeadConfig.features,
    as_json: opt.Json = False,
) -> None:
    """Print stages, thaw line and what would train. No data is needed."""
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
def store_ls(as_json: opt.Json = False) -> None:
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
def store_clear(as_json: opt.Json = False) -> None:
    """Delete all frozen states. They are computed again when they are needed."""
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


def _given_texts(texts: list[str] | None) -> list[str]:
    try:
        given = texts if texts else [line.rstrip("\r\n") for line in sys.stdin]
        "".join(given).encode()
    except UnicodeError as error:
        raise ThawlineError("texts in UTF-8", str(error), "convert them to UTF-8") from error
    if not given:
        raise ThawlineError("at least one text", "none", 'write thawline predict RUN "a text"')
    return given


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    sys.stderr.write(f"warning: {_one_line(message)}\n")


def _one_line(message: object) -> str:
    return " ".join(str(message).split())


def _split_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Take ``--debug`` out, wherever it stands before a ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return options + arguments[end:], len(options) < end


def _explain(error: Exception) -> str:
    """Return one line that says what was wrong and how to mend it."""
    if isinstance(error, _UsageError):
        context: typer.Context | None = getattr(error, "ctx", None)
        verb = "thawline" if context is None else context.command_path
        message = error.format_message()  # type: ignore[attr-defined]
        return f"{_one_line(message).rstrip('.')}; see {verb} --help"
    if isinstance(error, OSError):
        place = "" if error.filename is None else f" ('{error.filename}')"
        found = f"{error.strerror or _one_line(error)}{place}"
        mend = "mend that, or add --debug to see where it happened"
        return str(ThawlineError("files that can be read and written", found, mend))
    return str(error)


def main() -> None:
    """Run the command line: an error that the user can mend is one line and exit code 2."""
    warnings.showwarning = _show_warning
    bound_kernel_cache()
    let_idle_threads_sleep()
    arguments, debug = _split_debug(sys.argv[1:])
    command: Callable[..., Any] = typer.main.get_command(app)
    try:
        code = command(arguments, prog_name="thawline", standalone_mode=False)
    except (ThawlineError, _UsageError, OSError) as error:
        if debug:
            traceback.print_exc()
        sys.stderr.write(f"error: {_explain(error)}\n")
        code = 2
    if code == INTERRUPTED:
        sys.stderr.write("interrupted\n")
    sys.exit(code)
