"""``python -m thawline`` is the command ``thawline``."""

import os
import sys

# Python puts the working folder first on the import path. Files there may come from an untrusted
# source, and could replace modules that are imported later.
if not sys.flags.safe_path and sys.path and sys.path[0] in ("", os.getcwd()):
    del sys.path[0]

from thawline.cli import program

program()
