"""All stages, one after the other, over one folder; then the model that comes out of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from models.clip import Tokenizer
from models.encoder import load_encoder
from models.folder import find_model
from tests.tiny_model import save_tiny_model
from tests.training.fake_people import write_people
from tests.training.fake_voices import Hum, tone, use_voices
from tests.training.tiny_recipe import tiny_recipe
from tests.training.tiny_scenes import write_scenes
from training.errors import NotReady
from training.nano.batches import SpokenCorpus
from training.nano.corpora import heard
from training.nano.drawings import cached_vendor
from training.nano.evaluate import held_out_voice
from training.nano.lexicon import Lexicon
from training.nano.listener import Listener
from training.nano.pairs import embed_drawings
from training.nano.scene_stage import Scenes
from training.nano.speech import make_shard
from training.nano.workshop import Workshop

pytestmark = [
    pytest.mark.usefixtures("exact_arithmetic"),
    # From Python 3.12 on, a fork beside other threads is warned of; torch has some.
    pytest.mark.filterwarnings("ignore:This process:DeprecationWarning"),
]

Weights = NDArray[np.float64]
SCENES = Scenes(np.random.default_rng(4).integers(0, 255, (16, 64, 64, 3), np.uint8), [["a cat", "two dogs"] * 3] * 16)
CARD = "# tiny\n\nA model of a few steps.\n"


@pytest.fixture
def work(packages: Path, lexicon: Lexicon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of work before its first stage: packages, speech, and letters for phonemes."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "packages").symlink_to(packages)
    # Of so few drawings no scene can be made.
    monkeypatch.setattr("training.nano.workshop.cached_scenes", lambda *_: SCENES)
    use_voices(monkeypatch, hum=Hum)
    make_shard(packages, folder / "speech", 1, 30)
    people = write_people(tmp_path / "people")
    monkeypatch.setenv("SPEECHCLIP_HUMAN_SPEECH", str(people))
    phrases = [*lexicon.phrases, "zero"]
    (folder / "phonemes.json").write_text(json.dumps({phrase: list(phrase) for phrase in phrases}), encoding="utf-8")
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "flite" else which(name))
    held_out_voice.cache_clear()
    return folder


def all_stages(shop: Workshop, out: Path) -> None:
    shop.train_clip()
    shop.read()
    shop.scenes()
    shop.listen()
    shop.align()
    shop.tune()
    shop.export(out, CARD)


def test_the_stages_make_a_model_that_hears_and_sees_as_it_did_in_training(
    work: Path, tmp_path: Path, lexicon: Lexicon, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = Workshop(work, tiny_recipe())
    all_stages(shop, tmp_path / "model")
    encoder = load_encoder(str(tmp_path / "model"))
    waves = [tone("dog", 0.3), tone("cat", 0.7)]
    pixels, _ = cached_vendor(work / "packages", work, "noto", lexicon)

    assert "'words in twemoji'" in capsys.readouterr().out
    assert (encoder.name, encoder.dim) == ("tiny", 8)
    assert (tmp_path / "model" / "README.md").read_text(encoding="utf-8") == CARD
    # The folder holds float16, hence a little difference.
    heard, seen = tuned_listener(work).embed_speech(waves), embed_drawings(shop.clip(), pixels)
    np.testing.assert_allclose(encoder.embed_speech(waves).vectors, heard, rtol=0, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_images(list(map(Image.fromarray, pixels))), seen, rtol=0, atol=5e-3)

    figures = shop.evaluate(str(tmp_path / "model"))
    assert {"words in noto", "digits in noto", "words in twemoji", "words in keywords"} <= set(figures)
    assert figures["words in noto"].at[10] == 100.0


def tuned_listener(work: Path) -> Listener:
    """The listener as it was at the end, with weights as exact as those of a model folder."""
    saved = torch.load(work / "tune.pt", weights_only=True)["weights"]
    listener = Listener(tiny_recipe().model, saved["phonemes.weight"].shape[0] - 1)
    listener.load_state_dict({name: tensor.half().float() for name, tensor in saved.items()})
    return listener


def test_a_model_folder_is_enough_to_go_on_from(work: Path, tmp_path: Path) -> None:
    shop, first, second = Workshop(work, tiny_recipe()), tmp_path / "first", tmp_path / "second"
    all_stages(shop, first)
    shop.again(str(first), second)
    before, after = (find_model(str(folder)).load().state_dict() for folder in (first, second))
    moved = {name for name in before if not torch.equal(before[name], after[name])}

    assert find_model(str(second)).vocabulary == find_model(str(first)).vocabulary
    assert (second / "README.md").read_text(encoding="utf-8") == CARD
    assert any(name.startswith("audio_encoder.hubert.encoder") for name in moved)
    assert any(name.startswith("cascaded_branch.") for name in moved)
    assert not any(name.startswith(("clip.", "audio_encoder.hubert.feature_extractor")) for name in moved)


def test_phonemes_are_learnt_before_anything_else_moves(work: Path, tmp_path: Path) -> None:
    """A new layer for them would spoil what the encoder knows."""
    shop, first = Workshop(work, tiny_recipe()), tmp_path / "first"
    all_stages(shop, first)
    shop.again(str(first), tmp_path / "second")
    (saved,) = work.glob("phonemes-*.pt")
    fitted, before = torch.load(saved, weights_only=True)["weights"], find_model(str(first)).load().state_dict()

    assert all(torch.equal(fitted[name], before[name]) for name in before.keys() & fitted.keys())
    assert float(fitted["scale"].exp()) == pytest.approx(tiny_recipe().sharpness)


def test_the_same_model_speech_and_seed_give_the_same_model_again(work: Path, tmp_path: Path) -> None:
    shop, first = Workshop(work, tiny_recipe()), tmp_path / "first"
    all_stages(shop, first)
    for name in ("second", "third"):
        torch.rand(7)  # whatever was drawn before
        shop.again(str(first), tmp_path / name)
        for checkpoint in (*work.glob("phonemes-*.pt"), *work.glob("again-*.pt")):
            checkpoint.unlink()

    assert find_model(str(tmp_path / "third")).fingerprint == find_model(str(tmp_path / "second")).fingerprint


def test_a_model_of_another_kind_is_refused(work: Path, tmp_path: Path) -> None:
    parallel = save_tiny_model(tmp_path / "parallel")

    with pytest.raises(NotReady, match="is a parallel model"):
        Workshop(work, tiny_recipe()).again(str(parallel), tmp_path / "second")


def test_what_was_cut_off_goes_on_and_what_is_done_is_done(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, first = Workshop(work, tiny_recipe()), tmp_path / "first"
    all_stages(shop, first)
    shop.again(str(first), tmp_path / "second")
    monkeypatch.setattr("training.nano.speech_stages.Optimiser.step", lambda *_: pytest.fail("it is done"))
    shop.again(str(first), tmp_path / "third")

    assert find_model(str(tmp_path / "third")).fingerprint == find_model(str(tmp_path / "second")).fingerprint


def test_other_speech_or_other_settings_begin_anew(work: Path, tmp_path: Path) -> None:
    shop, first = Workshop(work, tiny_recipe()), tmp_path / "first"
    all_stages(shop, first)
    shop.again(str(first), tmp_path / "second")
    make_shard(work / "packages", work / "speech", 2, 10)
    shop.again(str(first), tmp_path / "more")
    more = shop.recipe.again.model_copy(update={"rate": 4e-3})
    Workshop(work, shop.recipe.model_copy(update={"again": more})).again(str(first), tmp_path / "faster")

    assert len({find_model(str(tmp_path / name)).fingerprint for name in ("second", "more", "faster")}) == 3


def test_the_vocabulary_is_what_is_said_and_what_could_be(work: Path, tmp_path: Path, lexicon: Lexicon) -> None:
    write_captions(work, "train a dog", "train two cats")
    all_stages(Workshop(work, tiny_recipe(1)), tmp_path / "model")
    vocabulary = find_model(str(tmp_path / "model")).vocabulary
    tokens = Tokenizer(614, 8)
    phrases = [*lexicon.phrases, "train a dog", "train two cats"]

    assert [vocabulary[place] for place in (0, 2, 3)] == [0, 612, 613]
    assert len(set(vocabulary)) == len(vocabulary)
    assert {number for phrase in phrases for number in tokens.encode(phrase)} <= set(vocabulary)


def test_the_model_has_keywords_with_their_places_in_time(work: Path, tmp_path: Path) -> None:
    all_stages(Workshop(work, tiny_recipe()), tmp_path / "model")
    encoder = load_encoder(str(tmp_path / "model"))
    heard = encoder.embed_speech([tone("dog", 1.5)], return_keywords=True).keywords
    saved = torch.load(work / "tune.pt", weights_only=True)["weights"]

    assert encoder.branches == ["parallel", "cascaded"]
    assert heard
    assert all(0 <= slot.start < slot.end <= 1.6 for slot in heard[0])
    # As many as its own weights say: what training tells it is not there any more.
    assert saved["cascaded_branch.keyword_norm.norm.num_batches_tracked"] == tiny_recipe().tune.steps


def test_stages_out_of_order_say_what_is_missing(work: Path, tmp_path: Path) -> None:
    shop = Workshop(work, tiny_recipe(1))

    early: Mapping[str, Callable[[], object]] = {
        "clip": shop.read,
        "read": shop.scenes,
        "scenes": shop.clip,
        "listen": shop.align,
        "align": shop.tune,
    }
    for needed, stage in early.items():
        with pytest.raises(NotReady, match=rf"{needed}\.pt is missing"):
            stage()
    with pytest.raises(NotReady, match=r"tune\.pt is missing"):
        shop.export(tmp_path / "model", CARD)
    assert not (tmp_path / "model").exists()
    assert list(work.glob("*.pt")) == []


def test_a_head_is_not_aligned_without_clip(work: Path) -> None:
    shop = Workshop(work, tiny_recipe(1))
    shop.listen()

    with pytest.raises(NotReady, match=r"scenes\.pt is missing"):
        shop.align()


def test_tuning_hears_captions_too_where_there_are_some(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop, heard_in_tuning = Workshop(work, tiny_recipe(1)), list[str]()
    captions = write_captions(work, "train a dog", "train two cats")
    monkeypatch.setattr(
        "training.nano.workshop.train_speech", lambda *given: heard_in_tuning.extend(given[3][0].phrases)
    )
    shop.train_clip()
    shop.read()
    shop.scenes()
    corpus = heard(shop.speech)[0]
    monkeypatch.setattr(Workshop, "_listener_from", lambda shop, *_: shop._listener(shop._phonemes(corpus.phrases)))
    shop.tune()

    assert set(captions) < set(heard_in_tuning)
    assert set(heard_in_tuning) - set(captions) <= set(shop.lexicon.members)


def write_captions(work: Path, *captions: str) -> Sequence[str]:
    """Spoken scenes, and the phonemes of their captions."""
    write_scenes(work / "scenes")
    known = json.loads((work / "phonemes.json").read_text(encoding="utf-8"))
    (work / "phonemes.json").write_text(
        json.dumps(known | {caption: list("cat") for caption in captions}), encoding="utf-8"
    )
    return captions


def test_only_listening_hears_what_names_nothing(work: Path) -> None:
    shop = Workshop(work, tiny_recipe(1))
    phrases: list[set[str]] = []

    def note(shards: Path, wanted: Callable[[str], bool] = lambda phrase: True) -> tuple[SpokenCorpus, Weights]:
        corpus, weights = heard(shards, wanted)
        phrases.append(set(corpus.phrases))
        return corpus, weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.nano.workshop.heard", note)
        shop.train_clip()
        shop.read()
        shop.scenes()
        shop.listen()
        shop.align()
        shop.tune()

    assert ["zero" in said for said in phrases] == [True, False, False]
    assert phrases[1] == phrases[2] == phrases[0] & set(shop.lexicon.members)
