"""Every reader answers changed files with a value or with one clear error.

`tests/support/fuzzing` holds the readers and the mutations. A failure names a target and a number;
``python -m tests.support.fuzzing 1 NUMBER TARGET`` repeats it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.fuzzing import harness
from tests.support.fuzzing.harness import Fuzzer, FuzzingError, Target
from tests.support.fuzzing.targets import TARGETS
from thawline.errors import ThawlineError

FEW, MANY = 4, 64


@pytest.mark.parametrize("name", TARGETS)
def test_a_few_mutations(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    counts = Fuzzer(TARGETS[name], folder).run(range(FEW))
    assert 0 < counts.total <= FEW


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_many_mutations(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    counts = Fuzzer(TARGETS[name], folder).run(range(FEW, FEW + MANY))
    assert counts.total > MANY * 0.8  # the others changed nothing


def test_a_run_tries_2000_mutations() -> None:
    assert len(TARGETS) * MANY * 0.8 >= 2_000


class Panic(BaseException):
    """An error like a panic in Rust."""


def write(folder: Path) -> None:
    (folder / "a.txt").write_text("original", encoding="utf-8")


@pytest.mark.parametrize("raised", [KeyError("x"), Panic(), ThawlineError("", "x", "y")])
def test_a_reader_without_a_clear_error_is_found(tmp_path: Path, raised: BaseException) -> None:
    def read(folder: Path) -> None:
        if (folder / "a.txt").read_bytes() != b"original":
            raise raised

    with pytest.raises(FuzzingError, match=r"toy \d+: a.txt"):
        Fuzzer(Target("toy", write, read), tmp_path).run(range(9))
    assert (tmp_path / "a.txt").read_bytes() == b"original"


def test_another_result_is_found(tmp_path: Path) -> None:
    target = Target("toy", write, lambda folder: (folder / "a.txt").read_bytes(), may_differ=False)
    with pytest.raises(FuzzingError):
        Fuzzer(target, tmp_path).run(range(9))


def test_a_reader_without_end_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(folder: Path) -> None:
        while (folder / "a.txt").read_bytes() != b"original":
            pass

    monkeypatch.setattr(harness, "CPU_SECONDS", 0.1)
    with pytest.raises(FuzzingError, match="TimeoutError"):
        Fuzzer(Target("toy", write, read), tmp_path).run(range(9))
