"""Package metadata; tool settings live in ``pyproject.toml``."""

import atexit
import re
import tempfile
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"', (HERE / "keras_inpaint" / "__init__.py").read_text("utf-8"), re.M
).group(1)

BEAM = ["apache-beam>=2.77"]
SERVE = [
    "fastapi>=0.115",
    "fastapi-offline>=1.7",
    "prometheus-client>=0.20",
    "python-multipart>=0.0.20",
    "uvicorn>=0.34",
]
TENSORBOARD = ["tensorboard>=2.20"]
EVALUATE = ["scikit-image>=0.26", "matplotlib>=3.10"]
HEIC = ["pillow-heif>=1.1"]
DOCS = ["pdoc>=15"]
ONNX = ["tf2onnx>=1.17", "onnx>=1.18", "onnxruntime>=1.22"]
ALL = BEAM + SERVE + EVALUATE + TENSORBOARD + HEIC + ONNX
TEST = [
    "pytest>=9.0",
    "pytest-xdist>=3.8",
    "hypothesis>=6.150",
    "requests>=2.32",
    "ruff>=0.17",
    "build>=1.2",
    "setuptools>=80",
]
TEST_ALL = [
    "grpcio>=1.71",
    "kserve>=0.21",
    "schemathesis>=4.30",
    "tensorflow-serving-api>=2.21",
    "tritonclient[grpc,http]>=2.70",
]
TEST_WEB = ["playwright>=1.65"]  # drives an installed Chromium

# One folder per build, since files of an earlier build in `build/` would go into the wheel.
BUILD = tempfile.TemporaryDirectory(prefix="keras-inpaint-")
atexit.register(BUILD.cleanup)

setup(
    name="keras-inpaint",
    version=VERSION,
    description="GLCIC image completion on Keras 3: train, complete, serve, ship",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0 AND CC-BY-SA-4.0",  # the latter: the weights of scenes
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.14",
    options={"build": {"build_base": BUILD.name}},
    packages=find_packages(include=["keras_inpaint", "keras_inpaint.*"]),
    include_package_data=True,
    package_data={
        "keras_inpaint": [
            "py.typed",
            "**/*.json",
            "**/*.keras",
            "**/*.tflite",
            "**/*.html",
            "**/*.csv",
            "**/*.zip",
            "page/*",
            "page/js/*.js",
            "page/css/*.css",
        ]
    },
    install_requires=[
        "tensorflow>=2.21",
        "keras>=3.15",
        "tensorflow-datasets>=4.9.10",
        "importlib_resources>=7.1",  # imported but not required by tensorflow-datasets
        "numpy>=2.0",
        "pillow>=12.0",
        "ai-edge-litert>=2.3",
        "opencv-python-headless>=4.11",
        "click>=8.1",
        "wrapt>=1.17",  # TensorFlow requires it too
        "rich>=14.0",
        "protobuf>=6.31.1,<7",
    ],
    extras_require={
        "beam": BEAM,
        "docs": DOCS,
        "evaluate": EVALUATE,
        "heic": HEIC,
        "onnx": ONNX,
        "serve": SERVE,
        "tensorboard": TENSORBOARD,
        "ui": SERVE,
        "all": ALL,
        "test": TEST + SERVE + EVALUATE + HEIC,
        "test-all": TEST + ALL + DOCS + TEST_ALL,
        "test-web": TEST + TEST_WEB,
        "test-torch": [*TEST, "torch>=2.6"],
    },
    entry_points={"console_scripts": ["keras-inpaint = keras_inpaint.commands:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
)
