"""Keep the libraries around a model hub quiet, and find out whether the hub answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from thawline.runtime.failures import first_line


def quieten_transformers() -> None:
    """Keep transformers' progress bars and notices off the terminal; errors still come through."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # peft asks each model for it; the user can do nothing about that.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    quieten_hub()


HUB_ANSWER_SECONDS = 5.0
"""How long the hub may take to say that it is there."""


def hub_silence(ask: Callable[..., Any]) -> str | None:
    """Return why the hub does not answer; None: it does, be it that it has no such thing.

    One request and no more: its client tries for half a minute before it looks into its cache.

    Args:
        ask: asks the hub for something small, and takes ``timeout`` in seconds.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        ask(timeout=HUB_ANSWER_SECONDS)
    except HfHubHTTPError:
        return None
    except Exception as error:  # of whichever HTTP library this version of the client uses
        return first_line(error)
    return None


def quieten_hub() -> None:
    """Keep the hub client from telling of each try to reach the network; errors come through."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()
