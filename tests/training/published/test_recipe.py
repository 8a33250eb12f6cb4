"""Recipes: those that ship, and what is refused before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from models.config import AudioConfig, ClipConfig, ModelConfig, TextConfig, VisionConfig
from models.folder import find_model
from models.published.registry import PublishedModel, load_registry
from tests.tiny_model import BranchName
from tests.training.published.tiny_training import recipe, settings
from training.published.errors import RecipeError
from training.published.recipe import Recipe, differences
from training.published.recipe_file import RECIPES, load_recipe, recipe_names

PUBLISHED = load_registry().models
NANO = [name for name in recipe_names() if name.startswith("nano-")]
NAMES = [name for name in recipe_names() if name not in NANO]

BASE = ModelConfig(name="base")
LARGE = ModelConfig(
    name="large",
    embedding_size=768,
    audio=AudioConfig(hidden_size=1024, layers=24, heads=16, ffn_size=4096, conv_norm="layer", pre_norm=True),
    clip=ClipConfig(
        vision=VisionConfig(patch_size=14, width=1024, layers=24), text=TextConfig(width=768, heads=12, layers=12)
    ),
)
STARTS = {"base": BASE, "large": LARGE}
PAIRS_A_STEP = {  # where it is not 256, as the counts of steps of the released checkpoints tell
    "cascaded-plus-large-flickr": 128,
    "cascaded-plus-large-coco": 128,
}


def test_there_is_one_for_every_published_model() -> None:
    assert {load_recipe(name).start for name in NAMES} == set(PUBLISHED)
    assert {f"{load_recipe(name).start.partition('/')[0]}/{name}" for name in NAMES} == set(PUBLISHED)


@pytest.mark.parametrize("name", NAMES)
def test_it_makes_the_network_that_was_published(name: str) -> None:
    told = load_recipe(name)
    entry: PublishedModel = PUBLISHED[told.start]
    config = told.model.config(name, STARTS[entry.hubert], 8_112)

    assert (config.branch, config.embedding_size) == (entry.branch, entry.embedding_size)
    assert (config.audio.hidden_size, config.audio.layers) == (entry.hidden_size, entry.layers)
    # HuBERT large normalises what it hears, and so does the second paper's data set of the base models.
    assert config.audio.normalize_waveform == (entry.hubert == "large" or "speechclip-plus/" in told.start)
    if config.cascaded:
        assert config.cascaded.vocabulary_size == 8_112
        assert set(config.cascaded.keyword_projection + config.cascaded.parallel_projection) <= {entry.hidden_size}


@pytest.mark.parametrize("name", NAMES)
def test_its_numbers_are_the_published_ones(name: str) -> None:
    told = load_recipe(name)

    assert told.data.batch * told.data.accumulate == PAIRS_A_STEP.get(name, 256)
    assert told.optimiser.model_dump() == {
        "rate": 1e-4,
        "final_rate": 1e-8,
        "weight_decay": 1e-6,
        "warmup": 5_000,
        "steps": 50_000,
        "clip": 4.0,
    }
    assert (told.seed, told.precision, told.semantics) == (7122, "16-mixed", "official")
    assert (told.data.most_samples, told.data.validation_batch) == (102_400, 8 if "speechclip/" in told.start else 6)
    assert (told.loss.quantity, told.loss.frames_per_keyword, told.loss.scaling_steps) == (0.25, 20, 5_000)
    never_learnt = ("parallel-base-flickr", "cascaded-base-flickr", "hybrid-large-coco")
    assert told.loss.temperature_learnt == (name not in never_learnt)


def test_settings_are_changed_by_name() -> None:
    told = load_recipe("hybrid-base-flickr", ["data.batch=32", "precision=32-true", "model.cascaded.heads=2", "seed=1"])

    assert (told.data.batch, told.precision, told.seed) == (32, "32-true", 1)
    assert told.model.cascaded is not None
    assert told.model.cascaded.heads == 2
    assert differences(told, load_recipe("hybrid-base-flickr")) == [
        "data.batch",
        "model.cascaded.heads",
        "precision",
        "seed",
    ]


def test_a_file_is_a_recipe_too(tmp_path: Path) -> None:
    text = (RECIPES / "parallel-base-flickr.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace("seed = 7122", "seed = 3"))

    assert load_recipe(str(tmp_path / "mine.toml")).seed == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("data.batch", "is no setting"),
        ("=3", "is no setting"),
        ("data..batch=3", "is no setting"),
        ("seed.more=3", "seed has no settings of its own"),
        ("data.bath=3", "data.bath: Extra inputs"),
        ("data.batch=many", "data.batch: "),
        ("data.batch=1", "data.batch: "),
        ("loss.temperature=0", "loss.temperature: "),
        ("optimiser.rate=NaN", "optimiser.rate: "),
        ("optimiser.warmup=50000", "optimiser.warmup must be less than optimiser.steps"),
        ("optimiser.final_rate=1", "optimiser.final_rate must not exceed optimiser.rate"),
        ("devices=3", "data.batch must be a multiple of devices, which are 3"),
        ("features=float16", "features needs semantics=independent"),
        ("features=float64", "features: "),
        ("data.train_split=[]", "data.train_split"),
        ("hubert_dropout=1", "hubert_dropout: "),
        ("loss.cascaded=1", "loss.cascaded must be 0, as a parallel model has no cascaded branch"),
        ("loss.parallel=0", "the parallel branch would learn nothing"),
        ("model.branch=hybrid", "loss.cascaded must be more than 0"),
        ('model.cascaded={"vocabulary_size": 7}', "model.cascaded.vocabulary_size: "),
        ('model.cascaded={"keywords": 8}', "model.cascaded is for every branch but parallel"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(change: str, told: str) -> None:
    with pytest.raises(RecipeError) as refused:
        load_recipe("parallel-base-flickr", [change])

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_features_are_not_of_a_hubert_that_forgets() -> None:
    with pytest.raises(RecipeError, match="features needs hubert_dropout=0"):
        load_recipe("nano-parallel", ["hubert_dropout=0.1"])


def test_hubert_keeps_everything_unless_it_is_told_otherwise() -> None:
    assert {load_recipe(name).hubert_dropout for name in recipe_names()} == {0.0}
    assert {load_recipe(name).features for name in NAMES} == {"none"}


@pytest.mark.parametrize("name", NANO)
def test_a_recipe_of_nano_fits_nano(name: str) -> None:
    told, start = load_recipe(name), find_model("nano")
    config = told.model.config(name, start.config, len(start.vocabulary))

    assert told.name == name
    assert name.removeprefix("nano-").replace("-plus", "+") == config.branch
    assert (told.features, told.semantics, told.precision) == ("float16", "independent", "32-true")
    assert config.audio == start.config.audio


def test_a_file_that_extends_another_has_only_what_is_different(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('extends = "nano-hybrid"\nseed = 1\n[loss]\nparallel = 0.5\n')
    (tmp_path / "mine.toml").write_text('extends = "base.toml"\nname = "mine"\n')
    told = load_recipe(str(tmp_path / "mine.toml"), ["data.batch=32"])

    assert (told.name, told.seed, told.loss.parallel, told.data.batch) == ("mine", 1, 0.5, 32)
    assert differences(told, load_recipe("nano-hybrid")) == ["data.batch", "loss.parallel", "name", "seed"]


def test_a_file_that_extends_itself_is_told(tmp_path: Path) -> None:
    for name, base in (("a", "b"), ("b", "a")):
        (tmp_path / f"{name}.toml").write_text(f'extends = "{base}.toml"\n')
    with pytest.raises(RecipeError, match=r"a.toml: extends must name another recipe, and not this one again"):
        load_recipe(str(tmp_path / "a.toml"))
    (tmp_path / "c.toml").write_text("extends = 3\n")
    with pytest.raises(RecipeError, match="extends must name another recipe"):
        load_recipe(str(tmp_path / "c.toml"))


def test_what_is_no_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there are cascaded-base-flickr, "):
        load_recipe("parallel-huge-flickr")
    for content in (b"name = ", b"\xff\xfe"):
        (tmp_path / "broken.toml").write_bytes(content)
        with pytest.raises(RecipeError, match="is no recipe"):
            load_recipe(str(tmp_path / "broken.toml"))


@pytest.mark.parametrize("branch", ["cascaded", "hybrid+"])
def test_keywords_need_their_settings(branch: BranchName) -> None:
    without: dict[str, Any] = settings("start", branch)
    without["model"]["cascaded"] = None
    with pytest.raises(ValidationError, match=r"model.cascaded is for every branch but parallel, and needed by those"):
        Recipe.model_validate(without)


def test_it_is_the_same_after_it_was_written_down() -> None:
    told = recipe("start", "hybrid+")

    assert Recipe.model_validate_json(told.model_dump_json()) == told
