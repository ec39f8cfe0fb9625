"""Published weights are fetched, from made files in this machine instead of the projects' hosts."""

import dataclasses
import hashlib
import json
import re

import originals
import pytest
from click.testing import CliRunner
from writing import write_pytorch, write_torch7

import keras_inpaint as ki
from keras_inpaint.commands.convert import command
from keras_inpaint.networks.converters import published
from keras_inpaint.networks.converters.published import PUBLISHED


@pytest.fixture
def hosts(tmp_path, monkeypatch):
    """Put made files in the place of what the projects publish; return the folder of Keras."""
    folder = tmp_path / "hosts"
    folder.mkdir()
    write_pytorch(folder / "cn.pth", originals.glcic_pytorch_state(originals.made_weights()), False)
    write_pytorch(
        folder / "gl.pth", originals.mmagic_state(originals.made_weights(biased=False)), False
    )
    write_torch7(folder / "net.t7", originals.torch7_content(originals.made_weights()))
    (folder / "config.json").write_text(json.dumps({"mpv": list(originals.MEAN)}))
    files = {"glcic-pytorch": "cn.pth", "mmagic": "gl.pth", "torch7": "net.t7"}
    for name, source in PUBLISHED.items():
        file = folder / files[source.project]
        changes = {"url": file.as_uri()}
        if source.sha256 is not None:
            changes["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
        if source.config_url is not None:
            changes["config_url"] = (folder / "config.json").as_uri()
        monkeypatch.setitem(published.PUBLISHED, name, dataclasses.replace(source, **changes))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


def run(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_are_fetched_and_converted(hosts, tmp_path, name):
    out = tmp_path / "glcic.keras"
    result = run("--from", name, "--accept-licence", "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith(f"Licence of {name}: ")
    card = json.loads((tmp_path / "model_card.json").read_text())
    assert card["source"]["address"] == PUBLISHED[name].url
    assert PUBLISHED[name].trained_on in card["description"]
    assert card["licence"] == PUBLISHED[name].licence
    assert ki.load_model(out).count_params() > 10_000
    kept = sorted(path.suffix for path in hosts.rglob("*") if path.is_file())
    assert kept == ([".json", ".pth"] if name.startswith("glcic") else [out_suffix(name)])


def out_suffix(name):
    return ".t7" if name.startswith("authors") else ".pth"


def test_the_licence_comes_first(hosts, tmp_path):
    result = run("--from", "authors:places2", "-o", tmp_path / "glcic.keras")
    assert result.exit_code == 2
    assert "CC BY-NC-SA 4.0" in result.stderr and "--accept-licence" in result.stderr
    with pytest.raises(PermissionError, match="CC BY-NC-SA"):
        ki.convert_weights("authors:places2")
    assert not hosts.exists()


def test_the_authors_licence_stays_in_the_card(hosts):
    network, card = ki.convert_weights("authors:celeba", accept_licence=True)
    assert "CC BY-NC-SA 4.0" in card["licence"] and network.name == "completion_network"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--from", "mmagic:celeba", "FILE"), "omit .*gl.pth"),
        (("--from", "mmagic:celeba", "--config", "CONFIG"), "omit --config"),
        ((), "give FILE, or weights to download: --from glcic-pytorch:celeba"),
        (("--from", "mmagic:moon"), "is not one of"),
    ],
)
def test_wrong_usage(hosts, tmp_path, arguments, line):
    names = {"FILE": "gl.pth", "CONFIG": "config.json"}
    given = [tmp_path / "hosts" / names[a] if a in names else a for a in arguments]
    result = run(*given, "-o", tmp_path / "glcic.keras")
    assert result.exit_code == 2
    assert re.search(line, result.stderr), result.stderr


def test_another_file_than_was_published_is_refused(hosts, tmp_path, monkeypatch):
    wrong = dataclasses.replace(PUBLISHED["mmagic:celeba"], sha256="52a040a8")
    monkeypatch.setitem(published.PUBLISHED, "mmagic:celeba", wrong)
    result = run("--from", "mmagic:celeba", "--accept-licence", "-o", tmp_path / "glcic.keras")
    assert result.exit_code == 1 and "its SHA-256 should begin with 52a040a8" in result.stderr
    assert not (tmp_path / "glcic.keras").exists()


def test_without_a_network_it_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    lost = dataclasses.replace(PUBLISHED["mmagic:celeba"], url="https://nowhere.invalid/gl.pth")
    monkeypatch.setitem(published.PUBLISHED, "mmagic:celeba", lost)
    result = run("--from", "mmagic:celeba", "--accept-licence", "-o", tmp_path / "glcic.keras")
    assert result.exit_code == 1 and isinstance(result.exception, OSError)
    assert "https://nowhere.invalid/gl.pth cannot be fetched: " in str(result.exception)


def test_the_addresses_are_those_that_the_projects_name():
    assert all(source.url.startswith("https://") for source in PUBLISHED.values())
    for source in PUBLISHED.values():
        if source.project == "mmagic":  # its names end in the first digits of the digest
            assert source.url.endswith(f"-{source.sha256}.pth")
