"""The speech side while it is trained."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from tests.tiny_model import spread
from tests.training.fake_voices import tone
from tests.training.tiny_recipe import tiny_recipe
from training.losses import TEMPERATURE
from training.nano.batches import Batch
from training.nano.listener import EVALUATION_BATCH, Listener


@pytest.fixture(scope="module")
def listener() -> Listener:
    torch.manual_seed(0)
    listener = Listener(tiny_recipe().model, 5)
    spread(listener)
    return listener


WAVES = [tone(str(n), 0.1 + 0.013 * (n * 7 % 20)) for n in range(EVALUATION_BATCH + 5)]


def test_utterances_are_embedded_in_their_order_each_on_its_own(listener: Listener) -> None:
    together = listener.embed_speech(WAVES)
    alone = np.concatenate([listener.embed_speech([wave]) for wave in WAVES])

    assert together.shape == (len(WAVES), 8)
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=0, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3


def test_no_utterances_have_no_vectors(listener: Listener) -> None:
    assert listener.embed_speech([]).shape == (0, 8)


def test_a_batch_is_embedded_as_it_will_be_served(listener: Listener) -> None:
    waves, lengths = torch.zeros(2, 4_800), torch.tensor([3_000, 4_800])
    for row, length in zip(waves, lengths.tolist(), strict=True):
        row[:length] = torch.from_numpy(tone("word", 0.3)[:length])
    with torch.no_grad():
        vectors = listener.embed(listener.frames(Batch(waves, lengths, torch.zeros(2, dtype=torch.long))))

    served = listener.embed_speech([waves[0, :3_000].numpy(), waves[1].numpy()])
    np.testing.assert_allclose(vectors.numpy(), served, rtol=0, atol=1e-5)


def test_there_is_a_score_for_every_phoneme_and_the_blank(listener: Listener) -> None:
    assert listener.phonemes.out_features == 6


def test_the_scale_begins_as_the_paper_has_it() -> None:
    assert Listener(tiny_recipe().model, 5).scale.item() == pytest.approx(math.log(1 / TEMPERATURE))


def test_its_weights_are_called_as_in_the_model_and_clip_is_not_among_them(listener: Listener) -> None:
    names = {name.partition(".")[0] for name in listener.state_dict()}

    assert names == {"audio_encoder", "cascaded_branch", "norm", "phonemes", "scale"}


@pytest.mark.parametrize("branch", ["parallel", "cascaded+"])
def test_another_kind_of_model_is_refused(branch: str) -> None:
    model = tiny_recipe().model
    changes = {"branch": branch, "cascaded": None} if branch == "parallel" else {"branch": branch}

    with pytest.raises(ValueError, match=f"hybrid\\+ model, not {re.escape(branch)}"):
        Listener(model.model_copy(update=changes), 5)
