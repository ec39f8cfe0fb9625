"""Versions come and go with their folders, while the server runs."""

import os
import shutil

import pytest

requests = pytest.importorskip("requests", reason="pip install 'keras-inpaint[test]'")


def served(http, server):
    entries = http.get(f"{server.url}/v1/models/other").json()["model_version_status"]
    return {entry["version"]: entry for entry in entries}


def test_a_new_version_is_served_and_a_removed_one_is_not(server, http, model_folders, eventually):
    base = model_folders / "other"
    copy = model_folders / "other" / ".8"
    shutil.copytree(base / "7", copy)
    os.replace(copy, base / "8")
    try:
        eventually(lambda: served(http, server).get("8", {}).get("state") == "AVAILABLE")
        assert http.get(f"{server.url}/v2/models/other/versions/8/ready").ok
        spec = http.get(f"{server.url}/v1/models/other/metadata").json()["model_spec"]
        assert spec["version"] == "8"
    finally:
        os.replace(base / "8", copy)
        shutil.rmtree(copy)
    eventually(lambda: served(http, server)["8"]["state"] == "END")
    assert http.get(f"{server.url}/v2/models/other/versions/8/ready").status_code == 503
    assert (
        http.post(
            f"{server.url}/v1/models/other/versions/8:predict", json={"instances": []}
        ).status_code
        == 503
    )
    spec = http.get(f"{server.url}/v1/models/other/metadata").json()["model_spec"]
    assert spec["version"] == "7"
    assert http.get(f"{server.url}/v2/health/ready").ok


def test_a_broken_version_is_told_and_the_others_serve_on(server, http, model_folders, eventually):
    broken = model_folders / "other" / "9"
    broken.mkdir()
    try:
        (broken / "saved_model.pb").write_bytes(b"this is no SavedModel")
        eventually(lambda: "9" in served(http, server))
        eventually(lambda: served(http, server)["9"]["state"] == "END")
        status = served(http, server)["9"]["status"]
        assert status["error_code"] == "UNKNOWN"
        assert "is no SavedModel that can be loaded" in status["error_message"]
        assert http.get(f"{server.url}/v2/health/ready").ok
        spec = http.get(f"{server.url}/v1/models/other/metadata").json()["model_spec"]
        assert spec["version"] == "7"
    finally:
        shutil.rmtree(broken)
