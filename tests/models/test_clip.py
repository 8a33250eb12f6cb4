"""CLIP's two towers and what comes before them: tokens and pixels."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from models.clip import ImagePreprocessor, Tokenizer, build_clip, unit
from models.config import VisionConfig
from models.images import centre, on_white
from tests.processor import within
from tests.tiny_model import tiny_config

SIZES = [515, 600, 1_514, 6_514, 49_408]
SMALL = VisionConfig(image_size=32, patch_size=8)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)


def test_the_whole_table_is_clips_own() -> None:
    tokenizer = Tokenizer()

    assert tokenizer(["a photo of a dog"])[0, :8].tolist() == [49406, 320, 1125, 539, 320, 1929, 49407, 0]


@pytest.mark.parametrize("vocab_size", SIZES)
@given(text=ANY_TEXT)
@settings(max_examples=60, deadline=None)
def test_any_text_can_be_said_with_a_table_of_any_size(vocab_size: int, text: str) -> None:
    ids = Tokenizer(vocab_size).encode(text)
    rows = Tokenizer(vocab_size, context_length=12)([text])

    assert all(0 <= number < vocab_size - 2 for number in ids)
    assert rows.shape == (1, 12)
    assert rows[0, 0] == vocab_size - 2
    assert rows.argmax(dim=1) == min(len(ids), 10) + 1


@pytest.mark.parametrize("vocab_size", SIZES)
@given(text=st.text(max_size=40))
@settings(max_examples=40, deadline=None)
def test_a_smaller_table_says_the_same_in_shorter_pieces(vocab_size: int, text: str) -> None:
    cut, full = Tokenizer(vocab_size), Tokenizer()

    assert cut.decode(cut.encode(text)) == full.decode(full.encode(text))
    assert len(cut.encode(text)) >= len(full.encode(text))


def test_too_long_a_text_is_cut_before_the_end() -> None:
    tokenizer = Tokenizer(context_length=5)

    assert tokenizer(["dog " * 20])[0].tolist() == [49406, 1929, 1929, 1929, 49407]


def test_an_empty_text_is_a_start_and_an_end_and_no_texts_are_no_rows() -> None:
    assert Tokenizer(context_length=4)([""]).tolist() == [[49406, 49407, 0, 0]]
    assert Tokenizer(context_length=4)([]).shape == (0, 4)


@pytest.mark.parametrize("text", ["<end_of_text> dog", "<start_of_text>", "<END_OF_TEXT>"])
def test_a_text_that_spells_out_a_special_token_is_text(text: str) -> None:
    tokenizer = Tokenizer()

    assert not {tokenizer.sot, tokenizer.eot} & set(tokenizer.encode(text))


def test_a_book_of_one_word_takes_no_longer_than_a_page() -> None:
    word = "".join(np.random.default_rng(0).choice(list("abcdefghijklmnopqrstuvwxyz"), 1_000_000))
    tokenizer = Tokenizer()
    within(2, lambda: tokenizer([word]))


def test_words_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.clip._CACHED_WORDS", 10)
    tokenizer = Tokenizer(700)
    for number in range(50):
        assert tokenizer.decode(tokenizer.encode(f"word{chr(97 + number % 26) * (number + 1)}")).strip()

    assert len(tokenizer._bpe.cache) <= 12


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "LA", "La", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB"]
)
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (300, 5), (64, 64)])
def test_images_of_every_mode_and_size_are_taken(mode: str, size: tuple[int, int]) -> None:
    pixels = ImagePreprocessor(SMALL)([Image.new(mode, size), Image.new(mode, size)])

    assert pixels.shape == (2, 3, 32, 32)
    assert pixels.dtype == torch.float32
    assert pixels.isfinite().all()


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B", "I", "F"])
def test_images_of_deep_pixels_are_taken(mode: str) -> None:
    assert on_white(Image.new(mode, (3, 2))).mode == "RGB"


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_sixteen_bits_keep_their_brightness(mode: str) -> None:
    image = Image.new(mode, (1, 1), 0x80FF)

    assert on_white(image).getpixel((0, 0)) == (128, 128, 128)


def test_what_is_transparent_lies_on_white() -> None:
    clear, half = Image.new("RGBA", (1, 1), (255, 0, 0, 0)), Image.new("LA", (1, 1), (0, 128))
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([10, 20, 30])
    palette.info["transparency"] = 0

    assert on_white(clear).getpixel((0, 0)) == (255, 255, 255)
    assert on_white(half).getpixel((0, 0)) == (127, 127, 127)
    assert on_white(palette).getpixel((0, 0)) == (255, 255, 255)


def test_what_is_opaque_keeps_its_colour() -> None:
    colour = (12, 200, 7)
    palette = Image.new("RGB", (2, 2), colour).convert("P", palette=Image.Palette.ADAPTIVE)

    assert on_white(Image.new("RGB", (1, 1), colour)).getpixel((0, 0)) == colour
    assert on_white(Image.new("RGBA", (1, 1), (*colour, 255))).getpixel((0, 0)) == colour
    assert on_white(palette).getpixel((0, 0)) == colour


@pytest.mark.parametrize("size", [(263, 181), (150, 301), (32, 32), (7, 9), (33, 500), (500, 33)])
def test_the_middle_is_the_middle_of_the_whole_resized_image(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = Image.fromarray(noise)
    scale = 32 / min(size)
    whole = image.resize(
        (math.floor(size[0] * scale + 1e-9), math.floor(size[1] * scale + 1e-9)), Image.Resampling.BICUBIC
    )
    left, top = round((whole.width - 32) / 2), round((whole.height - 32) / 2)

    assert np.array_equal(np.asarray(centre(image, 32)), np.asarray(whole.crop((left, top, left + 32, top + 32))))


@pytest.mark.parametrize("size", [(1, 1_000_000), (1_000_000, 1), (3, 400_001)])
def test_a_line_of_a_million_pixels_costs_what_another_image_costs(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, "red")
    middle = within(2, lambda: centre(image, 224))

    assert middle.size == (224, 224)
    assert middle.getpixel((112, 112)) == (255, 0, 0)


def test_no_images_are_an_empty_batch() -> None:
    assert ImagePreprocessor(SMALL)([]).shape == (0, 3, 32, 32)


def test_pixels_have_the_mean_and_deviation_of_clips_data() -> None:
    white = ImagePreprocessor(SMALL)([Image.new("RGB", (8, 8), "white")])
    black = ImagePreprocessor(SMALL)([Image.new("RGB", (8, 8), "black")])
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073])

    torch.testing.assert_close(-black[0, :, 0, 0] / (white - black)[0, :, 0, 0], mean)


def test_the_tensors_have_openais_names() -> None:
    config = tiny_config()
    names = set(build_clip(config.clip, config.embedding_size).state_dict())

    assert {"visual.conv1.weight", "visual.proj", "token_embedding.weight", "text_projection", "logit_scale"} <= names
    assert {"transformer.resblocks.0.attn.in_proj_weight", "visual.transformer.resblocks.0.mlp.c_fc.bias"} <= names
    assert "attn_mask" not in names


def test_unit_vectors_are_of_unit_length_in_single_precision() -> None:
    vectors = unit(torch.tensor([[3.0, 4.0], [0.0, 1e-3]], dtype=torch.float16))

    assert vectors.dtype == torch.float32
    torch.testing.assert_close(cast("torch.Tensor", vectors.norm(dim=1)), torch.ones(2))
