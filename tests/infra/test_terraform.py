"""Terraform: it parses, its parts agree with each other, with the job template and with the layout of the store."""

from __future__ import annotations

import functools
import re
from typing import Any

import hcl2
import pytest

from tests.infra.rendering import INFRA, read_template

FILES = sorted((INFRA / "terraform").glob("*.tf"))
TEXT = "\n".join(re.sub(r"^\s*#.*$", "", file.read_text(), flags=re.MULTILINE) for file in FILES)


def _bare(value: Any) -> Any:
    """Without the quotes that the parser leaves around names and strings, and without its own marks."""
    if isinstance(value, dict):
        return {_bare(name): _bare(each) for name, each in value.items() if not str(name).startswith("__")}
    if isinstance(value, list):
        return [_bare(each) for each in value]
    return value[1:-1] if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"' else value


@functools.cache
def _blocks(kind: str) -> dict[str, dict[str, Any]]:
    """``resource`` → type.name → content; of ``variable`` and ``output`` the name alone."""
    found: dict[str, dict[str, Any]] = {}
    for file in FILES:
        for block in _bare(hcl2.loads(file.read_text())).get(kind, []):
            for first, content in block.items():
                named = (
                    {f"{first}.{name}": each for name, each in content.items()}
                    if kind in ("resource", "data", "ephemeral")
                    else {first: content}
                )
                assert not named.keys() & found.keys()
                found |= named
    return found


def test_every_file_parses():
    assert len(FILES) > 8
    assert len(_blocks("resource")) > 25


def test_the_lock_is_of_the_providers_that_are_asked_for():
    lock = (INFRA / "terraform" / ".terraform.lock.hcl").read_text()
    locked = dict(re.findall(r'provider "registry\.terraform\.io/([\w/-]+)" \{.*?constraints = "(.*?)"', lock, re.DOTALL))
    asked = re.findall(r'source += "([\w/-]+)"\s+version += "(.*?)"', TEXT)
    assert len(asked) == 3
    assert locked == dict(asked), "run 'make terraform-lock'"
    for provider in lock.split("\nprovider ")[1:]:
        hashes = re.findall(r'"zh:([0-9a-f]{64})"', provider)
        assert len(set(hashes)) == len(hashes) >= 5


def test_every_variable_is_described_and_used():
    for name, content in _blocks("variable").items():
        assert content.get("description"), name
        assert re.search(rf"\bvar\.{name}\b", TEXT), name
    assert set(re.findall(r"\bvar\.(\w+)", TEXT)) == set(_blocks("variable"))


def test_every_reference_leads_somewhere():
    told = re.sub(r'"https?://[^"]*"', "", TEXT)
    referred = set(re.findall(r"\b(?<!data\.)(google_\w+|random_\w+)\.(\w+)[.\[\]]", told))
    here = {tuple(name.split(".")) for name in _blocks("resource") | _blocks("ephemeral")}
    there = {tuple(name.split(".")) for name in _blocks("data")}
    assert referred <= here | there
    assert set(re.findall(r"data\.(google_\w+)\.(\w+)\.", told)) <= there


def test_node_pools_are_those_that_jobs_select():
    found = set(re.findall(r'pool = "(\w+)", spot = (true|false).*?least = (\d)', TEXT))
    variables = read_template("kubernetes")["variables"]["properties"]
    wanted = {(pool, spot, "0") for pool in variables["node_pool"]["enum"] for spot in variables["spot"]["enum"]}
    assert wanted <= found, "each from zero nodes on"
    assert found - wanted == {("services", "false", "1")}
    selector = read_template("kubernetes")["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["nodeSelector"]
    assert all(f'"{label}" =' in TEXT for label in selector)


def test_a_node_has_room_for_a_job():
    """Defaults of the job template and of Terraform: g2-standard-8 and n2-standard-8 have 8 cores, 32 GiB."""
    for pool in ("gpu", "cpu"):
        assert int(read_template("kubernetes")["variables"]["properties"]["cpu"]["default"]) < 8, pool
    assert read_template("kubernetes")["variables"]["properties"]["memory"]["default"] == "24Gi"
    assert 'machine = "g2-standard-8"' in TEXT


def test_the_bucket_is_private_and_checkpoints_expire():
    bucket = _blocks("resource")["google_storage_bucket.data"]
    assert bucket["public_access_prevention"] == "enforced"
    assert bucket["uniform_bucket_level_access"] is True
    rules = [(rule["condition"][0], rule["action"][0]["type"]) for rule in bucket["lifecycle_rule"]]
    live = [condition for condition, action in rules if action == "Delete" and "age" in condition]
    assert len(live) == 1, "nothing else that is in use is ever deleted"
    assert live[0]["matches_prefix"] == ["${var.store}/checkpoints/"]
    assert any(action == "AbortIncompleteMultipartUpload" for _, action in rules)


def test_checkpoints_lie_where_the_rule_looks(tmp_path):
    from tests.tasks.declaring import run_step

    def body(work):
        (work.checkpoint / "x").write_text("1")
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        run_step(str(tmp_path / "store"), "train_main", 1, {}, {}, body)
    assert list((tmp_path / "store" / "checkpoints").rglob("x"))


def test_no_account_has_wide_rights_or_a_key():
    roles = set(re.findall(r'"(roles/[\w.]+)"', TEXT))
    assert not roles & {
        "roles/owner",
        "roles/editor",
        "roles/storage.admin",
        "roles/storage.objectAdmin",
        "roles/container.admin",
    }
    assert "google_service_account_key" not in TEXT
    for name, content in _blocks("resource").items():
        if name.startswith("google_project_iam_member"):
            assert "job" not in str(content["member"]), "jobs may use the bucket, and nothing of the project"
    assert "allUsers" not in TEXT
    assert "allAuthenticatedUsers" not in TEXT


def test_a_run_may_not_write_where_files_start_runs():
    rights = _blocks("resource")
    writes = [each for name, each in rights.items() if name.startswith("google_storage_bucket_iam_member.job")]
    assert {each["role"]: "condition" in each for each in writes} == {
        "roles/storage.objectViewer": False,
        "roles/storage.objectUser": True,
    }
    (condition,) = [each["condition"][0]["expression"] for each in writes if "condition" in each]
    assert condition.startswith("!resource.name.startsWith(")
    assert "/objects/datasets/" in condition
    assert rights["google_storage_notification.drops"]["object_name_prefix"] == "datasets/"


def test_vertex_ais_rights_are_given_where_they_are_asked_for():
    for kind in ("google_project_iam_custom_role.vertex_jobs", "google_project_iam_member.vertex_jobs"):
        assert "var.vertex_ai" in str(_blocks("resource")[kind]["count"])
    assert _blocks("variable")["vertex_ai"]["default"] is False


def test_no_secret_gets_into_the_state():
    assert not [name for name in _blocks("resource") if name.startswith(("random_", "tls_"))]
    assert len(_blocks("ephemeral")) == 2
    for name, content in _blocks("resource").items():
        for argument in ("password", "secret_data", "private_key", "auth_string", "token"):
            assert argument not in content, name
    users = _blocks("resource")["google_sql_user.prefect"]
    versions = _blocks("resource")["google_secret_manager_secret_version.this"]
    assert users["password_wo_version"] == versions["secret_data_wo_version"] == "${var.passwords_version}"
    outputs = "".join(str(each) for each in _blocks("output").values())
    assert "ephemeral" not in outputs
    assert "local.secrets" not in outputs


def test_no_machine_has_a_public_address_and_every_bucket_is_private():
    resources = _blocks("resource")
    assert resources["google_sql_database_instance.this"]["settings"][0]["ip_configuration"][0]["ipv4_enabled"] is False
    assert resources["google_container_cluster.this"]["private_cluster_config"][0]["enable_private_nodes"] is True
    assert "access_config" not in TEXT
    buckets = [each for name, each in resources.items() if name.startswith("google_storage_bucket.")]
    assert len(buckets) == 2
    for each in buckets:
        assert each["public_access_prevention"] == "enforced"
        assert each["uniform_bucket_level_access"] is True


def test_machines_reach_what_is_listed_and_nothing_else():
    (text,) = [file.read_text() for file in FILES if file.name == "egress.tf"]
    rules = re.findall(r"priority += (\d+)\s*,?\s*action += \"(\w+)\"", text)
    assert [action for _, action in sorted(rules, key=lambda rule: int(rule[0]))] == ["allow"] * 5 + ["deny"]
    denied = text[text.index("nothing = {") :]
    assert re.search(r'ranges += \["0\.0\.0\.0/0"\].*?protocol += "all"', denied, re.DOTALL)
    network = (INFRA / "terraform" / "network.tf").read_text() + (INFRA / "terraform" / "cluster.tf").read_text()
    inside = re.findall(r"(?:ip_cidr_range|master_ipv4_cidr_block) += \"([\d./]+)\"", network)
    assert re.search(r"inside = \{.*?ranges += (\[.*?\])", text, re.DOTALL)[1] == str(inside).replace("'", '"')
    rule = _blocks("resource")["google_compute_network_firewall_policy_rule.egress"]
    assert rule["direction"] == "EGRESS"
    assert rule["enable_logging"] == '${each.value.action == "deny"}'
    assert "google_compute_network_firewall_policy_association.egress" in _blocks("resource")


def test_encode_is_among_the_hosts_that_are_reached():
    from urllib.parse import urlsplit

    from tasks.encode.portal import BUCKETS, PORTAL

    hosts = _blocks("variable")["egress"]["default"]["hosts"]
    assert set(hosts) == {urlsplit(each).hostname for each in (PORTAL, *BUCKETS)}


def test_accounts_are_those_of_the_cluster():
    from tests.infra.test_services import objects

    mapped = {
        each["metadata"]["name"]: each["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].split("@")[0]
        for each in objects()
        if each["kind"] == "ServiceAccount"
    }
    assert all(name == account for name, account in mapped.items())
    members = _blocks("resource")["google_service_account_iam_member.workload_identity"]
    assert set(re.findall(r'"(\w+)"', str(members["for_each"]).replace("'", '"'))) == {
        name.removeprefix("chrombpnet-") for name in mapped
    }


def test_the_manifests_are_given_all_that_they_ask_for():
    asked = set(re.findall(r"\$\{(\w+)\}", (INFRA / "terraform" / "services.yaml.tftpl").read_text()))
    (given,) = re.findall(r"services\.yaml\.tftpl\", \{(.*?)\n  \}\)", TEXT, re.DOTALL)
    assert set(re.findall(r"^\s+(\w+)\s+=", given, re.MULTILINE)) == asked


def test_every_skipped_check_says_why():
    skipped = re.findall(r"checkov:skip=(\w+):?(.*)", "\n".join(file.read_text() for file in FILES))
    assert skipped
    assert [check for check, reason in skipped if len(reason.split()) < 5] == []
