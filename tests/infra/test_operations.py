"""The operations guide: commands parse, and what it names is there."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from flows.cli.deploy import add_deploy, job_variables
from infra.job_templates import pool_template
from tests.infra.rendering import INFRA

GUIDE = (INFRA.parent / "docs" / "operations.md").read_text()
TERRAFORM = "\n".join(file.read_text() for file in (INFRA / "terraform").glob("*.tf"))
DEPLOYS = [
    line for line in re.sub(r"\\\n\s*", "", GUIDE).splitlines() if re.match(r"    (/\S+/)?chrombpnet deploy --", line)
]


@pytest.mark.parametrize("line", DEPLOYS)
def test_deploy_takes_what_the_guide_says(line):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_deploy(parser)
    given = parser.parse_args(shlex.split(line)[2:])
    if given.pool_type != "process":
        variables = {name.rpartition(".")[2]: value for name, value in job_variables(given.job_variable).items()}
        assert pool_template(given.pool_type, gpu=True, given=variables)["variables"]["required"] == []


def test_the_guide_deploys_in_all_three_ways():
    assert [re.findall(r"--pool-type (\S+)", line) for line in DEPLOYS] == [["kubernetes"], ["vertex-ai"], []]


def test_terraform_has_what_the_guide_names():
    for name in (
        "project",
        "operators",
        "security_group",
        "gpu",
        "gpu_nodes",
        "bridge_url",
        "image_tag",
        "zones",
        "passwords_version",
        "egress",
        "vertex_ai",
    ):
        assert name in GUIDE
        assert f'variable "{name}"' in TERRAFORM
    for kind, name in re.findall(r"-replace=(\w+)\.(\w+)", GUIDE):
        assert f'resource "{kind}" "{name}"' in TERRAFORM
    for name in re.findall(r"output -raw (\w+)", GUIDE):
        assert f'output "{name}"' in TERRAFORM


def test_links_and_units_are_there():
    for name in re.findall(r"\]\((\w+\.md)\)", GUIDE):
        assert (INFRA.parent / "docs" / name).exists(), name
    for name in re.findall(r"systemctl enable --now (.*)", GUIDE)[0].split():
        assert (INFRA / "systemd" / f"{re.sub('@.*', '@', name)}.service").exists(), name
