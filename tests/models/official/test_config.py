"""What a checkpoint is, by its tensors and settings; what this project does not have is refused by its name."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor

from models.config import CifConfig, ModelConfig
from models.errors import CheckpointError
from models.official.config import branch_of, read_config
from models.official.file import OfficialFile
from tests.models.official.test_official import HUBERT_HEADS, official_config
from tests.official_checkpoint import in_memory, official_content
from tests.tiny_model import BRANCHES, VOCABULARY, BranchName, tiny_speechclip

KEYWORD, VQ = ("cascaded_branch", "keyword"), ("cascaded_branch", "vq")
CIF = ("cascaded_branch", "downsampling", "cif")


@pytest.fixture(scope="module")
def contents() -> dict[str, dict[str, Any]]:
    """A checkpoint of every branch."""
    models = {branch: tiny_speechclip(official_config(branch=branch)) for branch in BRANCHES}
    return {branch: official_content(model, list(VOCABULARY)) for branch, model in models.items()}


@pytest.fixture
def files(contents: dict[str, dict[str, Any]]) -> dict[str, OfficialFile]:
    """The same, with settings that may be changed."""
    settings = {branch: deepcopy(content["hyper_parameters"]["config"]) for branch, content in contents.items()}
    return {branch: in_memory(contents[branch]["state_dict"], settings[branch]) for branch in contents}


def read(file: OfficialFile) -> ModelConfig:
    return read_config(file, "tiny", HUBERT_HEADS)


def section(file: OfficialFile, *keys: str) -> Any:
    """The settings below `model_settings` at these keys."""
    found: Any = file.settings["model_settings"]
    for key in keys:
        found = found[key]
    return found


def test_waveforms_are_normalised_where_the_data_set_did_it(files: dict[str, OfficialFile]) -> None:
    file = files["hybrid"]
    said = in_memory(file.tensors, {**file.settings, "data": {"dataset": {"normalize_waveform": True}}})

    assert not read(file).audio.normalize_waveform
    assert read(said).audio.normalize_waveform


@pytest.mark.parametrize(("branch", "place"), [("parallel", "parallel_branch"), ("cascaded", "cascaded_branch")])
def test_each_paper_says_elsewhere_which_attention_it_is(
    files: dict[str, OfficialFile], branch: str, place: str
) -> None:
    before, settings = read(files[branch]), section(files[branch], place)
    beside, inside = settings.pop("transformer_type", None), settings["transformer_args"].pop("type", None)
    settings["transformer_type"] = inside
    settings["transformer_args"]["type"] = beside

    assert read(files[branch]) == before


@pytest.mark.parametrize(
    ("branch", "keys"),
    [
        ("cascaded", ("cascaded_branch", "type")),
        ("cascaded", (*KEYWORD, "batchnorms")),
        ("cascaded", KEYWORD),
        ("cascaded", VQ),
        ("cascaded", (*VQ, "args", "temp")),
        ("cascaded+", (*CIF, "cif_threshold")),
        ("cascaded+", (*CIF, "tail_handling_firing_threshold")),
        ("hybrid+", ("cascaded_branch", "downsampling")),
    ],
)
def test_settings_that_a_release_does_not_have_yet_are_as_in_the_others(
    files: dict[str, OfficialFile], branch: str, keys: tuple[str, ...]
) -> None:
    before = read(files[branch])
    del section(files[branch], *keys[:-1])[keys[-1]]

    assert read(files[branch]) == before


@pytest.mark.parametrize(
    ("branch", "default"), [("parallel", "parallel"), ("hybrid+", "parallel"), ("cascaded+", "cascaded")]
)
def test_without_a_word_about_search_the_whole_utterance_is_searched_with(
    files: dict[str, OfficialFile], branch: str, default: str
) -> None:
    file = files[branch]
    silent = {name: value for name, value in file.settings.items() if name != "retrieval"}

    assert read(in_memory(file.tensors, silent)).search_branch == default


def test_a_hybrid_may_search_with_its_keywords(files: dict[str, OfficialFile]) -> None:
    file = files["hybrid"]
    settings = {**file.settings, "retrieval": {"audio_feat_src": "cascaded"}}

    assert read(in_memory(file.tensors, settings)).search_branch == "cascaded"


def test_numbers_of_integrate_and_fire_are_those_of_the_checkpoint(files: dict[str, OfficialFile]) -> None:
    settings = section(files["hybrid+"], *CIF)
    settings |= {"cif_threshold": 0.8, "tail_handling_firing_threshold": 0.3, "num_layer": 7, "conv_cif_width": 9}
    kept = read(files["hybrid+"]).cascaded
    settings["apply_tail_handling"] = False
    dropped = read(files["hybrid+"]).cascaded

    assert kept is not None
    assert kept.cif == CifConfig(threshold=0.8, tail_threshold=0.3)
    assert dropped is not None
    assert dropped.cif == CifConfig(threshold=0.8, tail_threshold=None)


@pytest.mark.parametrize("branch", BRANCHES)
@pytest.mark.parametrize("spelling", ["{}Branch", "KW_{}Branch", "{}Branch_dynamic", "KW_{}Branch_plus"])
def test_a_branch_may_be_called_by_any_of_its_names_but_no_other(
    files: dict[str, OfficialFile], branch: BranchName, spelling: str
) -> None:
    if branch == "parallel":
        assert branch_of(files[branch]) == branch
        return
    section(files[branch], "cascaded_branch")["type"] = spelling.format(branch.removesuffix("+").capitalize())
    if branch.endswith("+") == spelling.endswith(("_dynamic", "_plus")):
        assert branch_of(files[branch]) == branch
    else:
        with pytest.raises(CheckpointError, match=r"cascaded_branch\.type is .*, but the tensors are those of"):
            branch_of(files[branch])


@pytest.mark.parametrize(
    ("names", "branch"),
    [
        (["parallel_branch.cls"], "parallel"),
        ([], "parallel"),
        (["cascaded_branch.cls"], "cascaded"),
        (["cascaded_branch.parallel_cls", "cascaded_branch.cascaded_cls"], "hybrid"),
        (["cascaded_branch.downsampling.conv.0.weight"], "cascaded+"),
        (["cascaded_branch.downsampling.conv.0.weight", "cascaded_branch.cls"], "hybrid+"),
    ],
)
def test_a_branch_is_known_by_what_no_other_has(names: list[str], branch: str) -> None:
    tensors: dict[str, Tensor] = {name: torch.zeros(1) for name in names}

    assert branch_of(in_memory(tensors, {})) == branch


def test_two_branches_that_share_nothing_are_refused() -> None:
    tensors = {name: torch.zeros(1) for name in ("parallel_branch.cls", "cascaded_branch.cls")}

    with pytest.raises(CheckpointError, match="a parallel and a cascaded branch"):
        branch_of(in_memory(tensors, {}))


@pytest.mark.parametrize(
    ("branch", "keys", "value", "message"),
    [
        ("parallel", ("parallel_branch", "transformer_args", "nhead"), 3, "multiple of parallel.heads"),
        ("parallel", ("parallel_branch", "transformer_args", "nhead"), None, "heads"),
        ("parallel", ("parallel_branch", "transformer_args", "norm_first"), True, "norm_first is True"),
        ("parallel", ("parallel_branch", "transformer_type"), "Other", "transformer_type is 'Other'"),
        ("parallel", ("parallel_branch", "transformer_type"), "MultiheadAttentionAndNorm", "not 'TransformerEncoder'"),
        ("parallel", ("parallel_branch",), 7, "transformer_type is None"),
        ("cascaded", ("cascaded_branch", "transformer_args", "nhead"), 3, "multiple of cascaded.heads"),
        ("cascaded", ("cascaded_branch", "transformer_args", "nhead"), None, "heads"),
        ("cascaded", ("cascaded_branch", "transformer_args", "type"), "Other", "transformer_type is 'Other'"),
        ("cascaded", ("cascaded_branch", "type"), "Other", r"cascaded_branch\.type is 'Other'"),
        ("hybrid", (*KEYWORD, "batchnorms", "type"), "same", r"batchnorms\.type is 'same'"),
        ("hybrid", (*KEYWORD, "batchnorms", "parallel"), False, r"batchnorms\.parallel is False"),
        ("hybrid", (*VQ, "type"), "Other", r"vq\.type is 'Other'"),
        ("hybrid", (*VQ, "args", "temp"), "learnable=0.1", r"temp is 'learnable=0.1'"),
        ("hybrid", (*VQ, "args", "temp"), "fixed=0", "temperature"),
        ("hybrid", (*VQ, "args", "use_gumbel"), True, "use_gumbel is True"),
        ("hybrid", (*VQ, "args", "hard"), False, "hard is False"),
        ("hybrid+", ("cascaded_branch", "downsampling", "type"), "cnn", r"downsampling\.type is 'cnn'"),
        ("hybrid+", (*CIF, "produce_weight_type"), "dense", "produce_weight_type is 'dense'"),
        ("hybrid+", (*CIF, "cif_threshold"), 0, "threshold"),
        ("hybrid+", (*CIF, "tail_handling_firing_threshold"), "often", "tail_threshold"),
    ],
)
def test_settings_that_this_network_does_not_have_are_refused(
    files: dict[str, OfficialFile], branch: str, keys: tuple[str, ...], value: object, message: str
) -> None:
    section(files[branch], *keys[:-1])[keys[-1]] = value

    with pytest.raises(CheckpointError, match=message):
        read(files[branch])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("audio_encoder", {"feat_select_idx": "last_hidden_state"}, "feat_select_idx is 'last_hidden_state'"),
        ("retrieval", {"audio_feat_src": "cascaded"}, "search_branch must be parallel"),
        ("retrieval", {"audio_feat_src": None}, "search_branch"),
        ("model_settings", 7, "transformer_type is None"),
    ],
)
def test_settings_beside_the_model_are_refused_too(
    files: dict[str, OfficialFile], name: str, value: object, message: str
) -> None:
    file = files["parallel"]

    with pytest.raises(CheckpointError, match=message):
        read(in_memory(file.tensors, {**file.settings, name: value}))


def test_hidden_states_are_normalised_as_the_authors_do_by_default_or_not_at_all(
    files: dict[str, OfficialFile],
) -> None:
    def with_settings(**settings: object) -> OfficialFile:
        encoder = {"feat_select_idx": "weighted_sum", **settings}
        return in_memory(file.tensors, {**file.settings, "audio_encoder": encoder})

    file = files["parallel"]
    assert read(with_settings(normalize_hiddenstates=True)).audio.normalize_hidden_states
    assert read(with_settings(normalize_hiddenstates=True, normalize_type="s3prl")).audio.normalize_hidden_states
    assert not read(with_settings(normalize_hiddenstates=False, normalize_type="method1")).audio.normalize_hidden_states
    for other in ("method1", "method2", None):
        with pytest.raises(CheckpointError, match=r"audio_encoder\.normalize_type is .*only 's3prl' is supported"):
            read(with_settings(normalize_hiddenstates=True, normalize_type=other))


@pytest.mark.parametrize(("width", "heads"), [(768, 12), (1024, 16), (1280, 16)])
def test_every_published_hubert_has_its_own_heads(files: dict[str, OfficialFile], width: int, heads: int) -> None:
    file = files["parallel"]
    wide = {"audio_encoder.encoder.encoder.pos_conv.0.weight_v": torch.empty(width, width // 16, 128, device="meta")}

    assert read_config(in_memory({**file.tensors, **wide}, file.settings), "wide").audio.heads == heads


def test_heads_that_nothing_tells_must_fit(files: dict[str, OfficialFile]) -> None:
    with pytest.raises(CheckpointError, match="describes no possible model"):
        read_config(files["parallel"], "tiny")


def test_shapes_that_make_no_sense_are_refused_by_the_name_of_the_tensor(files: dict[str, OfficialFile]) -> None:
    tensors = {**files["cascaded"].tensors, "cascaded_branch.cls": torch.zeros(8, 16)}

    with pytest.raises(CheckpointError, match=r"cascaded_branch\.cls is of shape \(8, 16\)"):
        read(in_memory(tensors, files["cascaded"].settings))
