"""Who may import whom, what importing costs, and what the wheel holds."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import keras_inpaint

ROOT = Path(keras_inpaint.__file__).parent

#: The rooms, and for each the ones that it may import; none may import `commands`.
ALLOWED = {
    "networks": set(),
    "data": set(),
    "presets": set(),
    "photos": {"data"},
    "training": {"networks", "data", "presets"},
    "inference": {"networks", "data", "presets"},
    "batch": {"data", "photos", "inference", "presets"},
    "exporting": {"networks", "data", "presets"},
    "evaluation": {"networks", "data", "presets", "inference"},
    "serving": {"data", "presets", "photos", "inference", "batch"},
}


def imported(path):
    """Return the rooms that a file imports, anywhere in it."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "keras_inpaint" and len(parts) > 1:
                rooms.add(parts[1])
            if parts[0] in ("cli", "export"):
                rooms.add(parts[0])
    return rooms


def test_every_room_has_its_rule():
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms == {*ALLOWED, "commands"}


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_rooms_keep_to_their_neighbours(room):
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    for path in files:
        rooms = {*ALLOWED, "commands", "cli", "export"} - ALLOWED[room] - {room}
        wrong = imported(path) & rooms
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def modules_after(code):
    """Return which of the heavy modules a fresh process has imported after running code."""
    heavy = ["tensorflow", "keras", "jax", "torch", "cv2", "tensorflow_datasets"]
    program = f"import sys\n{code}\nprint([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return ast.literal_eval(run.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        "import keras_inpaint",
        "import keras_inpaint.presets",
        "from keras_inpaint.commands import cli\n"
        "for name in cli.list_commands(None): cli.get_command(None, name)",
    ],
)
def test_importing_costs_neither_tensorflow_nor_keras(code):
    assert modules_after(code) == []


def test_public_names_are_there_and_wrong_ones_are_not():
    for name in keras_inpaint.__all__:
        assert getattr(keras_inpaint, name) is not None, name
    assert set(keras_inpaint.__all__) <= set(dir(keras_inpaint))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = keras_inpaint.nothing


def test_no_assert_in_the_library():
    for path in ROOT.rglob("*.py"):
        asserts = [
            n.lineno
            for n in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(n, ast.Assert)
        ]
        assert not asserts, f"{path.relative_to(ROOT)}: lines {asserts}"


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(tmp_path):
    import zipfile

    checkout, project = ROOT.parent, tmp_path / "project"
    if not (checkout / "setup.py").exists():
        pytest.skip("not a checkout")
    project.mkdir()
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(checkout / name, project)
    shutil.copytree(ROOT, project / "keras_inpaint")
    stale = project / "build" / "lib" / "keras_inpaint" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("left by an earlier build")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(project)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        tops = {name.split("/")[0] for name in file.namelist()}
        assert "keras_inpaint/py.typed" in file.namelist()
        assert "keras_inpaint/stale.py" not in file.namelist()
        page = {"index.html", "icon.svg", "example.png", "css/base.css", "js/main.js"}
        assert {f"keras_inpaint/page/{name}" for name in page} <= set(file.namelist())
    assert {t for t in tops if not t.endswith(".dist-info")} == {"keras_inpaint"}


def test_no_two_files_import_each_other():
    """Arrows go down, file by file, wherever in a file an import stands."""
    files = {}
    for path in ROOT.rglob("*.py"):
        parts = ("keras_inpaint", *path.relative_to(ROOT).with_suffix("").parts)
        files[".".join(parts).removesuffix(".__init__")] = path
    below = {}
    for name, path in files.items():
        below[name] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                below[name] |= {each if each in files else node.module for each in whole}
            elif isinstance(node, ast.Import):
                below[name] |= {alias.name for alias in node.names}
        below[name] &= set(files) - {name}
    # Whoever imports nothing that is left is taken away; what stays goes round in circles.
    while ends := [name for name, imports in below.items() if not imports & set(below)]:
        for name in ends:
            del below[name]
    assert not below, f"these import each other: {sorted(below)}"
