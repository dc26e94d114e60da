"""Check the files of a model that may come from an untrusted source, before a library opens them.

transformers, tokenizers and safetensors trust many values of these files: they open files outside
the folder, import other packages, allocate what a size demands, and match any regular expression.
The checks let through what the supported families need, and refuse everything else in one line.
"""

from __future__ import annotations

from thawline.backbones.untrusted.folder import check_model_files

__all__ = ["check_model_files"]
