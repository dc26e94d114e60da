"""Run commands in a process without root's privileges and with limited file sizes.

The process is forked from a server that has imported the modules: see `store_toys.Child`.
"""

from __future__ import annotations

import os
from multiprocessing.connection import Connection
from unittest.mock import patch

from tests.support.command_line import ProverHere, thawline
from tests.support.store_toys import drop_privileges


def run_commands(connection: Connection) -> None:
    """Run each command that is received and send its outcome, until None is received.

    A command consists of a working folder, a home, the maximum bytes of a file (None if unlimited)
    and the arguments.
    """
    import resource

    drop_privileges()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    while (command := connection.recv()) is not None:
        folder, home, largest_file, arguments = command
        os.chdir(folder)
        os.environ["THAWLINE_HOME"] = home
        limit = soft if largest_file is None else largest_file
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        with patch("thawline.artifact.Prover", ProverHere):
            done = thawline(*arguments)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        connection.send(done)
