from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.scenes.scene_packages import open_catalogue, write_scene_packages
from training.scenes.things import Catalogue


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene_packages(tmp_path_factory.mktemp("scene-packages"))


@pytest.fixture(scope="session")
def drawn(packages: Path) -> Catalogue:
    """The things as noto draws them."""
    return open_catalogue(packages)
