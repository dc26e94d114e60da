"""The verbs of the command line, one module each. Importing this package registers all of them."""

from thawline.cli.verbs import (
    compare,
    demo,
    evaluate,
    fit,
    generate,
    info,
    predict,
    preflight,
    pretrain,
    push,
    report,
    score,
    serve,
    store,
    tune,
    vectors,
)

__all__ = [
    "compare",
    "demo",
    "evaluate",
    "fit",
    "generate",
    "info",
    "predict",
    "preflight",
    "pretrain",
    "push",
    "report",
    "score",
    "serve",
    "store",
    "tune",
    "vectors",
]
