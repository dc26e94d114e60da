"""Silence the libraries around the model hub, and check whether the hub answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from thawline.runtime.failures import first_line

HUB_ANSWER_SECONDS = 5.0
"""How long `hub_failure` waits for the hub's answer, in seconds."""


def quieten_transformers() -> None:
    """Silence the progress bars and messages of transformers and the hub client, except errors."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    # peft reads this attribute of every model. The user cannot prevent the warning.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
    quieten_hub()


def quieten_hub() -> None:
    """Silence the hub client's messages, for example about retries, except errors."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()


def hub_failure(request: Callable[..., Any]) -> str | None:
    """Send one request to the hub and return why the hub does not answer.

    The hub client itself retries for half a minute before it reads its cache.

    Args:
        request: A function that requests something small from the hub. It takes ``timeout`` in
            seconds.

    Returns:
        The first line of the network error. None if the hub answers, even if its answer is that
        the requested item does not exist.
    """
    from huggingface_hub.errors import HfHubHTTPError

    try:
        request(timeout=HUB_ANSWER_SECONDS)
    except HfHubHTTPError:
        return None
    except Exception as error:  # the type depends on the HTTP library of the client's version
        return first_line(error)
    return None
