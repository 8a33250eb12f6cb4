"""What is published, and registry files of somebody else's making."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models.errors import RegistryError, UnknownModel
from models.published.registry import MOST_BYTES, RELEASED, PublishedModel, is_name, load_registry
from tests.published_model import TINY, registry_toml

RELEASED_MODELS = list(load_registry().models.values())
DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
RECALL = re.compile(r"val_recall_mean_(?P<at>\d+)[_=](?P<percent>[\d.]+)\.ckpt$")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.toml"


def test_fifteen_models_are_published() -> None:
    assert sorted(load_registry().models) == sorted(
        [
            *(f"speechclip/{kind}-base-flickr" for kind in ("parallel", "cascaded")),
            *(f"speechclip/{kind}-large-{data}" for kind in ("parallel", "cascaded") for data in ("coco", "flickr")),
            *(
                f"speechclip-plus/{kind}-{rest}"
                for kind in ("cascaded-plus", "hybrid", "hybrid-plus")
                for rest in ("base-flickr", "large-flickr", "large-coco")
            ),
        ]
    )


@pytest.mark.parametrize("model", RELEASED_MODELS, ids=lambda model: model.name)
def test_a_released_model_is_what_its_file_is_called(model: PublishedModel) -> None:
    size, data, branch, file = model.file.split("/")
    family, _, name = model.name.partition("/")

    assert name == f"{branch.replace('+', '-plus')}-{size}-{data}"
    assert (
        model.repository
        == {"speechclip": "speechclip/models", "speechclip-plus": "ShampooWang/speechclip_plus"}[family]
    )
    assert (model.branch, model.hubert) == (branch, size)
    assert model.trained_on == {"flickr": "Flickr8k", "coco": "SpokenCOCO"}[data]
    found = RECALL.search(file)
    assert found is not None
    assert model.recall is not None
    assert (model.recall.at, model.recall.percent) == (int(found["at"]), float(found["percent"]))


@pytest.mark.parametrize("model", RELEASED_MODELS, ids=lambda model: model.name)
def test_a_released_model_has_the_dimensions_of_its_hubert_and_clip(model: PublishedModel) -> None:
    dimensions = (model.clip, model.embedding_size, model.hidden_size, model.layers)

    assert dimensions == {"base": ("ViT-B/32", 512, 768, 12), "large": ("ViT-L/14", 768, 1024, 24)}[model.hubert]


@pytest.mark.parametrize("model", RELEASED_MODELS, ids=lambda model: model.name)
def test_a_released_model_is_documented_as_it_is(model: PublishedModel) -> None:
    line = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{model.name}` |"))

    assert model.recall is not None
    assert f"| {model.hubert}, {model.clip} | {model.embedding_size} |" in line
    assert line.endswith(f"| R@{model.recall.at} {model.recall.percent:.2f} |")


def test_the_documented_registry_file_is_one(path: Path) -> None:
    path.write_text(DOCUMENT.partition("```toml\n")[2].partition("```")[0])

    assert load_registry(path).get("acme/parallel-base-birds").recall is not None


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("speechclip/paralel-base-flickr", "did you mean speechclip/parallel-base-flickr"),
        ("speechclip-plus/hybrid+-base-flickr", "speechclip-plus/hybrid-plus-base-flickr"),
        ("parallel-large-coco", "speechclip/parallel-large-coco"),
        ("whisper", "`speechclip models list` shows them all"),
        ("", "`speechclip models list`"),
    ],
)
def test_an_unknown_name_is_answered_with_those_near_it(name: str, near: str) -> None:
    with pytest.raises(UnknownModel, match=re.escape(near)) as caught:
        load_registry().get(name)
    assert repr(name) in str(caught.value)


def test_a_registry_file_adds_its_models(path: Path) -> None:
    path.write_text(registry_toml(TINY))
    registry = load_registry(path)

    assert registry.get(TINY.name) == TINY
    assert len(registry.models) == 16


def test_a_registry_file_goes_before_what_is_released(path: Path) -> None:
    mirrored = TINY.model_copy(update={"name": "speechclip/parallel-base-flickr"})
    path.write_text(registry_toml(mirrored))

    assert load_registry(path).get(mirrored.name) == mirrored
    assert len(load_registry(path).models) == 15


def test_the_released_file_is_a_registry_file() -> None:
    assert load_registry(RELEASED) == load_registry()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Tiny"}, "models.1.name: Value error, must be two parts"),
        ({"name": "../tiny"}, "models.1.name"),
        ({"name": "a/b/c"}, "models.1.name"),
        ({"name": "a/.."}, "models.1.name"),
        ({"name": "a/b\n"}, "models.1.name"),
        ({"name": "a/" + "b" * 200}, "models.1.name"),
        ({"repository": "a/b/c"}, "models.1.repository"),
        ({"repository": "a--b/c"}, "models.1.repository"),
        ({"repository": "https://hub/a"}, "models.1.repository"),
        ({"repository": "a/b.git"}, "models.1.repository"),
        ({"file": "../../etc/passwd"}, "models.1.file"),
        ({"file": "/model.ckpt"}, "models.1.file"),
        ({"file": "a\\b.ckpt"}, "models.1.file"),
        ({"file": ""}, "models.1.file"),
        ({"branch": "sideways"}, "models.1.branch: Input should be 'parallel'"),
        ({"layers": 0}, "models.1.layers"),
        ({"embedding_size": None}, "models.1.embedding_size: Field required"),
        ({"colour": "red"}, "models.1.colour: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_place(path: Path, change: dict[str, object], told: str) -> None:
    path.write_text(registry_toml(TINY, **change))

    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    assert f"the registry {path} is not valid: {told}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "models: Field required"),
        (b"models = 3", "models: Input should be a valid tuple"),
        (b"[[models]]\nname = ", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"a=" + b"[" * 100_000, "is not TOML"),
        (b"#" * (MOST_BYTES + 1), "is larger than"),
    ],
)
def test_a_file_that_is_no_registry_is_refused(path: Path, content: bytes, told: str) -> None:
    path.write_bytes(content)

    with pytest.raises(RegistryError, match=re.escape(told)):
        load_registry(path)


def test_a_name_twice_is_refused(path: Path) -> None:
    path.write_text(registry_toml(TINY, TINY))

    with pytest.raises(RegistryError, match="'somebody/parallel-tiny' is there twice"):
        load_registry(path)


@pytest.mark.parametrize("name", ["missing.toml", "a\0b", "x" * 5000, "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(RegistryError, match="cannot be read"):
        load_registry(tmp_path / name)


@pytest.mark.parametrize("text", ["nano", "./a/b", "a//b", "/a/b", "a/b/", "A/b", "a/b+", "a b/c", "a/..", "", "é/a"])
def test_paths_and_shipped_models_are_no_names(text: str) -> None:
    assert not is_name(text)
