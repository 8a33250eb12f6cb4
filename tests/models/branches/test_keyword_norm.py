from __future__ import annotations

import pytest
import torch

from models.branches.keyword_norm import KeywordNorm


def keywords(batch: int, slots: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(batch, slots, 5, generator=generator) * 3 + torch.arange(5)


@pytest.mark.parametrize("slots", [4, None])
def test_a_batch_comes_out_with_the_mean_and_deviation_that_it_starts_at(slots: int | None) -> None:
    norm, table = KeywordNorm(5, slots), torch.randn(50, 5, generator=torch.Generator().manual_seed(1))
    norm.start_at(table)
    out = norm(keywords(200, 4))
    over = (0,) if slots else (0, 1)

    torch.testing.assert_close(out.mean(over), table.mean(0).expand_as(out.mean(over)), rtol=0, atol=1e-3)
    torch.testing.assert_close(out.std(over), table.std(0).expand_as(out.std(over)), rtol=0.01, atol=0)


def test_a_channel_is_a_dimension_in_a_slot_dimensions_first() -> None:
    norm = KeywordNorm(5, slots=4).eval()
    norm.norm.bias.data = torch.arange(20.0)

    assert norm(torch.zeros(1, 4, 5))[0].tolist() == [[slot + 4.0 * place for place in range(5)] for slot in range(4)]


def test_shared_numbers_take_any_number_of_keywords_each_by_itself() -> None:
    norm = KeywordNorm(5, slots=None)
    norm(keywords(20, 3))
    norm.eval()
    many = keywords(2, 7)

    torch.testing.assert_close(norm(many)[:, 2:3], norm(many[:, 2:3]))
