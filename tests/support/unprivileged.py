"""Commands in a process that has no more rights than permissions give, and little room on disk.

The process is forked from a server that has imported what a command needs: see `store_toys.Child`.
"""

from __future__ import annotations

import os
from multiprocessing.connection import Connection
from unittest.mock import patch

from tests.support.command_line import ProverHere, thawline
from tests.support.store_toys import drop_privileges


def run_commands(connection: Connection) -> None:
    """Run each command that is sent, and send back what came of it; None is the end.

    A command is a working folder, a home, the most bytes of a file (None: any) and arguments.
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
