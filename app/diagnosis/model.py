"""The model that is chosen: there, complete and readable. It is not loaded, so nothing waits for torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from app.chosen import chosen_model
from app.diagnosis.findings import Finding, failed, ok, warned
from app.memory import available_memory
from app.settings import Settings
from models.config import ModelConfig
from models.errors import ModelError
from models.published.shelf import CONFIG, FILES, WEIGHTS, find_shipped, fingerprint

MIB = 1024 * 1024
SHORT = 12


def check_model(settings: Settings) -> Iterator[Finding]:
    """Its files, its configuration, the header of its weights; and whether there is memory for it."""
    try:
        path = model_folder(settings)
        missing = [name for name in FILES if not (path / name).is_file()]
        if missing:
            yield failed("model", f"{settings.model}: {', '.join(missing)} not found", "see `speechclip models list`")
            return
        ModelConfig.model_validate_json((path / CONFIG).read_bytes())
        with safe_open(path / WEIGHTS, framework="numpy") as weights:
            tensors = len(list(weights.keys()))
    except (ModelError, ValueError, OSError, SafetensorError) as error:
        yield failed(
            "model", f"{settings.model}: {_first_line(error)}", "pull or convert it again: `speechclip models`"
        )
        return
    size = (path / WEIGHTS).stat().st_size
    yield ok("model", f"{settings.model}, {fingerprint(path)[:SHORT]}, {tensors} tensors, {size / MIB:,.0f} MiB")
    if size > available_memory():
        yield warned("model", "its weights are larger than the memory to be had", "use a smaller model, or more memory")


def model_folder(settings: Settings) -> Path:
    """Where it should be. Raises `ModelError` where a published model is not here, or the registry is damaged."""
    chosen = chosen_model(settings)
    return find_shipped(chosen) or Path(chosen)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
