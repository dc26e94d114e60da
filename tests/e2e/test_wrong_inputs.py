"""Wrong input prints one line, exits with 2 and leaves nothing. docs/errors.md has the lines."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tests.support.breakage import Wrong
from tests.support.command_line import Outcome, ProverHere, thawline, write_set
from tests.support.store_toys import Child
from tests.support.unprivileged import run_commands
from tests.support.wrong_inputs.table import PAGE, TABLE, answers, page, row
from thawline.cli import app

WRONG = [wrong for verb in TABLE.values() for wrong in verb]
SNAPSHOT = answers()
UPDATED: dict[str, list[str]] = {}
BY_NAME = {f"{wrong.verb}: {wrong.given}": wrong for wrong in WRONG}


@pytest.fixture(scope="module")
def kit(tmp_path_factory, toy_backbone, toy_reviews, toy_writer) -> Path:
    """A folder with data, a backbone, a language model and a finished run. Do not change it."""
    root = tmp_path_factory.mktemp("kit")
    write_set(root / "reviews", {"train": toy_reviews(24, 1), "test": toy_reviews(12, 2)})
    shutil.copytree(toy_backbone(), root / "bert")
    shutil.copytree(toy_writer(), root / "qwen3")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("THAWLINE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr("thawline.artifact.Prover", ProverHere)
        patch.setattr("thawline.jobs.fit._draw", lambda *given: [])
        done = thawline(*arguments_of("fit --labels neg,pos --out run --features last"))
    assert done.code == 0, done.err
    return root


@pytest.fixture
def here(kit, tmp_path) -> Path:
    """The working folder, with a copy of the kit."""
    folder = tmp_path / "cwd"
    shutil.copytree(kit, folder, dirs_exist_ok=True)
    for file in (folder / "run" / "record.json", folder / "run" / "config.toml"):
        file.write_text(file.read_text().replace(str(kit), str(folder)))
    return folder


@pytest.fixture(scope="module")
def unprivileged():
    """A process that runs commands with only the permissions that files grant."""
    if sys.platform == "win32" or (sys.platform != "linux" and os.geteuid() == 0):
        pytest.skip("root reads and writes everywhere")
    child = Child(run_commands)
    yield child.connection
    child.connection.send(None)
    child.process.join()


def key_of(wrong: Wrong) -> tuple[str, str]:
    """Return the section and the first cell of a wrong input in docs/errors.md."""
    return wrong.verb if wrong.verb in TABLE else "thawline", wrong.given


def arguments_of(command: str) -> list[str]:
    """Return the arguments of a command, with toys for what it does not name."""
    verb, *given = shlex.split(command)
    toys = []
    if verb in ("fit", "preflight") and "--data" not in given:
        toys += ["--data", "reviews"]
    if verb in ("fit", "info", "preflight") and "--backbone" not in given:
        toys += ["--backbone", "bert"]
    if verb == "generate" and "--model" not in given:
        toys += ["--model", "qwen3"]
    return [verb, *toys, *given]


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Return the content of a folder: bytes of files, targets of links, None for folders."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def answer(wrong: Wrong, request: pytest.FixtureRequest) -> Outcome:
    """Run a command, in another process if this one has too many permissions."""
    if wrong.home is not None:
        request.getfixturevalue("monkeypatch").setenv("THAWLINE_HOME", wrong.home)
    arguments = arguments_of(wrong.command)
    if not wrong.unprivileged and wrong.largest_file is None:
        return thawline(*arguments)
    connection = request.getfixturevalue("unprivileged")
    connection.send((os.getcwd(), os.environ["THAWLINE_HOME"], wrong.largest_file, arguments))
    return connection.recv()


def shown(line: str, here: Path) -> str:
    """Return a line with paths relative to the working folder."""
    return line.replace(f"{here}{os.sep}", "").replace(str(here), ".")


def answered(wrong: Wrong, line: str, here: Path) -> str:
    """Return the row of docs/errors.md for a printed line."""
    line = shown(line, here)
    if wrong.hub:
        before, mark, after = line.partition("; found ")
        line = before + mark + re.sub(r"\(.+?\)(?=\. )", "(…)", after, count=1)
    return row(wrong, line)


def test_each_wrong_input_has_its_own_name():
    assert len(BY_NAME) == len(WRONG) >= 60
    root = typer.main.get_command(app)
    assert set(TABLE) == {"thawline", *root.commands}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_wrong_input_prints_its_line_and_leaves_nothing(name, here, request):
    wrong = BY_NAME[name]
    wrong.broken()
    before = tree(here.parent)
    done = answer(wrong, request)
    *others, last = done.err.splitlines()
    written = answered(wrong, last, here)
    UPDATED.setdefault(wrong.verb if wrong.verb in TABLE else "thawline", []).append(written)
    if not request.config.getoption("update_errors"):
        assert written == SNAPSHOT.get(key_of(wrong)), "review, then run `make errors-update`"
    assert (done.code, done.out) == (2, "")
    assert not any(line.startswith("error: ") or "Traceback" in line for line in others)
    if wrong.leaves:
        check_failed_run(wrong, before, tree(here.parent))
    else:
        assert tree(here.parent) == before
    if wrong.largest_file is None:
        assert len(others) == wrong.noted


def check_failed_run(wrong: Wrong, before: dict, after: dict) -> None:
    """Check that only a failed run and the states of its texts are left."""
    new = {name for name in after if name not in before and not name.startswith("home")}
    assert new == {f"cwd/{name}" for name in wrong.leaves}
    assert {name: after[name] for name in before} == before
    (record,) = (json.loads(after[name]) for name in new if name.endswith("record.json"))
    assert record["status"] == "failed"
    assert record["error"].startswith("OSError: ")


@pytest.mark.parametrize(
    "name",
    [
        "fit: an option with a typo",
        "fit: a config file with an unknown key",
        "fit: a learning rate of NaN",
        "predict: no text",
        "store: a command with a typo",
    ],
)
def test_it_is_the_same_in_a_process_of_its_own(name, here):
    wrong = BY_NAME[name]
    wrong.broken()
    before = tree(here.parent)
    command = [sys.executable, "-m", "thawline", *arguments_of(wrong.command)]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", input="", check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert answered(wrong, done.stderr.removesuffix("\n"), here) == SNAPSHOT[key_of(wrong)]
    assert tree(here.parent) == before


@pytest.mark.parametrize("free", [0, 4_096, 8_192, 12_288, 32_768, 180_000])
def test_a_run_on_a_full_disk_is_missing_or_recorded_as_failed(
    free, mounted_disk, here, monkeypatch
):
    disk = mounted_disk(f"{1 << 18}")
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    (disk / "full").write_bytes(bytes((1 << 18) - free))
    done = thawline(*arguments_of(f"fit --out {disk / 'run'}"))
    *_, last = done.err.splitlines()
    assert (done.code, done.out) == (2, "")
    assert last.startswith("error: ")
    assert os.strerror(errno.ENOSPC) in last
    assert str(disk / "run") in last
    assert sum(line.startswith("error: ") for line in done.err.splitlines()) == 1
    assert "Traceback" not in done.err
    if free < 16_384:  # at least a page for the process, one for the config, two for the record
        assert sorted(disk.iterdir()) == [disk / "full"]
    else:
        record = json.loads((disk / "run" / "record.json").read_text())
        assert record["status"] == "failed"
        assert os.strerror(errno.ENOSPC) in record["error"]
        assert record["line"] == 5
        assert record["config"]["strategy"] == "head"
        assert [path.name for path in disk.rglob("*.tmp")] == []


def test_a_failed_run_is_reported_when_it_is_used(here):
    shutil.rmtree("run/model")
    for verb in ("predict run text", "evaluate run"):
        done = thawline(*shlex.split(verb))
        assert done.code == 2
        assert "'run'" in done.err


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_finished_run_with_a_damaged_file_is_made_again(name, here, monkeypatch):
    monkeypatch.setattr("thawline.artifact.Prover", ProverHere)
    files = [Path("run/model", name), Path("run/config.toml")]
    before = [path.read_bytes() for path in files]
    for path in files:
        path.write_bytes(b"")
    done = thawline("fit", "--resume", "--out", "run")
    assert done.code == 0, done.err
    assert [path.read_bytes() for path in files] == before
    record = json.loads(Path("run/record.json").read_text())
    assert len(record["resumed"]) == 1
    assert record["seconds"]["total"] == pytest.approx(sum(record["starts"]))


def test_too_little_memory_is_one_line(here, monkeypatch):
    def no_room(*anything):
        raise MemoryError

    monkeypatch.setattr("thawline.jobs.info.open_backbone", no_room)
    done = thawline("info", "--backbone", "bert")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert "memory" in done.err
    assert done.err.count("\n") == 1


def test_the_page_shows_each_wrong_input_and_no_other(request):
    if request.config.getoption("update_errors"):
        assert sum(map(len, UPDATED.values())) == len(WRONG), "run the whole module without xdist"
        PAGE.write_text(page({verb: UPDATED[verb] for verb in TABLE}), encoding="utf-8")
    assert list(answers()) == [key_of(wrong) for wrong in WRONG]
    assert PAGE.read_text(encoding="utf-8") == page(
        {verb: [answers()[key_of(wrong)] for wrong in wrongs] for verb, wrongs in TABLE.items()}
    )
