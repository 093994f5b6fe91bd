"""The tar of models in a published bundle is the one that was published."""

from __future__ import annotations

import hashlib
import json

import pytest

from chrombpnet_core.errors import InputError
from tasks.variants.bundled_models import tar_of_models

_TAR = b"models" * 100


@pytest.fixture
def bundle(tmp_path):
    entry = {"output_type": "models", "md5": hashlib.md5(_TAR, usedforsecurity=False).hexdigest()}
    (tmp_path / "x.models.tar").write_bytes(_TAR)
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"x.models.tar": entry}}))
    return tmp_path


def test_a_whole_tar_is_found(bundle):
    assert tar_of_models(str(bundle)) == str(bundle / "x.models.tar")


@pytest.mark.parametrize("content", [_TAR[:-1] + b"t", _TAR[:-1], _TAR.replace(b"m", b"n", 1)])
def test_a_damaged_tar_is_refused(bundle, content):
    (bundle / "x.models.tar").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.models\.tar: damaged, its MD5 is not that of the bundle's manifest\.json"):
        tar_of_models(str(bundle))


@pytest.mark.parametrize("manifest", ["", "{", "[]", "{}", '{"files": {}}'])
def test_a_damaged_manifest_is_no_bundle(bundle, manifest):
    (bundle / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="no published bundle"):
        tar_of_models(str(bundle))
