"""Weights that other projects have published, at the projects' own addresses."""

from dataclasses import dataclass
from pathlib import Path

from keras_inpaint.fetching import Progress, cache_folder, fetch
from keras_inpaint.networks.converters.projects import PROJECTS

_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_OPENMMLAB = "https://download.openmmlab.com/mmediting/inpainting/global_local/"
_AUTHORS = "https://iizuka.cs.tsukuba.ac.jp/data/"


@dataclass(frozen=True)
class Published:
    """A weights file that can be downloaded.

    Attributes:
        project: String, a name in `PROJECTS`.
        url: String, the address of the weights.
        sha256: String, the first digits of the digest, None if not published; OpenMMLab puts
            eight digits into the file's name.
        config_url: String, the address of GLCIC-PyTorch's `config.json`.
        trained_on: String, a description of the training data.
    """

    project: str
    url: str
    trained_on: str
    sha256: str | None = None
    config_url: str | None = None

    @property
    def licence(self) -> str:
        """The licence of the weights, as far as the project states one."""
        return PROJECTS[self.project].licence


PUBLISHED = {
    "glcic-pytorch:celeba": Published(
        "glcic-pytorch",
        f"{_DRIVE}1hsi1Fy0ITiZYTsJ_De-nAVUciuJ8Bql9",
        "CelebA, faces, 160 px",
        config_url=f"{_DRIVE}1yGfQp8U5zcVRYOBxF3-VCZ8TnMAtWBsk",
    ),
    "mmagic:celeba": Published(
        "mmagic",
        f"{_OPENMMLAB}gl_256x256_8x12_celeba_20200619-5af0493f.pth",
        "CelebA-HQ, faces, 256 px",
        sha256="5af0493f",
    ),
    "mmagic:places": Published(
        "mmagic",
        f"{_OPENMMLAB}gl_256x256_8x12_places_20200619-52a040a8.pth",
        "Places365, scenes, 256 px",
        sha256="52a040a8",
    ),
    "authors:places2": Published(
        "torch7", f"{_AUTHORS}completionnet_places2.t7", "Places2, scenes, 256 px"
    ),
    "authors:places2-freeform": Published(
        "torch7",
        f"{_AUTHORS}completionnet_places2_freeform.t7",
        "Places2, scenes, free-form holes, 256 px",
    ),
    "authors:celeba": Published(
        "torch7", f"{_AUTHORS}completionnet_celeba.t7", "CelebA, faces, 160 px"
    ),
}
"""The weights that can be downloaded, by their name for `--from`."""


def fetch_published(name: str, progress: Progress | None = None) -> tuple[Path, Path | None]:
    """Download published weights and their config, unless they are in the cache already.

    Args:
        name: A key of `PUBLISHED`.
        progress: As for `fetching.fetch`.

    Returns:
        The path of the weights, and of GLCIC-PyTorch's `config.json`, None for other projects.

    Raises:
        OSError: If a file cannot be downloaded.
        ValueError: If a file's digest differs from the published one.
    """
    source = PUBLISHED[name]
    folder = cache_folder() / "weights" / name.replace(":", "-")
    suffix = ".t7" if source.project == "torch7" else ".pth"
    weights = fetch(
        source.url,
        name.replace(":", "-") + suffix,
        sha256=source.sha256,
        folder=folder,
        progress=progress,
    )
    if source.config_url is None:
        return weights, None
    return weights, fetch(source.config_url, "config.json", folder=folder)
