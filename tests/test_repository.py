"""The files around the package agree with each other: versions, tools, workflow and citation."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import thawline
from tests.support.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [
    Requirement(line)
    for line in (*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra))
    if not line.startswith("thawline[")
]


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def read_constraints() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): pin for name, pin in pins.items()}


def tools_in_constraints() -> set[str]:
    """Return the names in the block that the Makefile reads for build/newest.txt."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    block = re.search(r"^# Development tools.*\n((?:\S.*\n)+)", text, re.MULTILINE)
    assert block is not None
    return {canonicalize_name(line.split("==")[0]) for line in block[1].splitlines()}


def test_the_version_is_the_same_everywhere():
    assert PROJECT["dynamic"] == ["version"]
    assert read_yaml("CITATION.cff")["version"] == thawline.__version__


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda requirement: requirement.name)
def test_the_tested_version_of_a_dependency_is_accepted(requirement):
    pins = read_constraints()
    name = canonicalize_name(requirement.name)
    assert name in pins, f"{requirement.name} is missing in constraints.txt"
    assert pins[name] in requirement.specifier


def test_the_development_tools_are_one_block_of_the_constraints():
    tools = {canonicalize_name(Requirement(line).name) for line in EXTRAS["dev"]}
    assert tools - {"thawline", "gensim"} == tools_in_constraints()


@pytest.mark.parametrize(("repository", "tool"), [("ruff-pre-commit", "ruff"), ("typos", "typos")])
def test_pre_commit_and_lint_use_the_same_version(repository, tool):
    hooks = read_yaml(".pre-commit-config.yaml")["repos"]
    (revision,) = (hook["rev"] for hook in hooks if hook["repo"].endswith(f"/{repository}"))
    assert revision == f"v{read_constraints()[tool]}"


def test_the_workflow_tests_every_python_that_the_package_names():
    workflow = read_yaml(".github/workflows/test.yml")
    tested = workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: 3."
    named = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if line.startswith(prefix)]
    assert tested == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_the_workflow_may_only_read():
    assert read_yaml(".github/workflows/test.yml")["permissions"] == {"contents": "read"}
