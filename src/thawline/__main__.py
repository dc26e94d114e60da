"""``python -m thawline`` is the command ``thawline``."""

from thawline.cli import main

main()
