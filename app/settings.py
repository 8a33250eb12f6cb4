"""What an operator can set, each by an environment variable with the prefix ``SPEECHCLIP_``."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.access.keys import Rules
from index.address import parse
from index.errors import InvalidAddress
from models.config import Precision
from models.published.shelf import default_data, models_below

MIB = 1024 * 1024
GIB = 1024 * MIB
TRACES_PACKAGE = "opentelemetry-exporter-otlp-proto-http"


class Settings(BaseSettings):
    """One value of each is fixed for the life of the process."""

    model_config = SettingsConfigDict(env_prefix="SPEECHCLIP_", validate_default=True, frozen=True)

    model: str = Field("nano", description="Name of a shipped or pulled model, or a model folder.")
    precision: Precision = Field(
        "fp32", description="Numbers of the model's products; bf16 is quicker where the machine has it, and less exact."
    )
    data: Path = Field(default_factory=default_data, description="Folder of the collections and of pulled models.")
    store: str = Field("faiss", description="Where collections are: faiss, milvus-lite, or milvus://HOST[:PORT].")
    registry: Path | None = Field(None, description="A file with published models beside those that are known.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    workers: int = Field(
        # A string is made a number by the validation that follows, as with every value from the environment.
        default_factory=lambda: cast(int, os.environ.get("WEB_CONCURRENCY", 1)),
        description="Always 1 (so must be WEB_CONCURRENCY): one process owns the model.",
    )
    admin_port: int | None = Field(
        None, ge=1, le=65535, description="Port for /metrics and what needs the scope admin, which port then refuses."
    )
    api_keys: Rules = Field(default_factory=dict, description="API keys by name, as JSON: sha256, scopes, rate.")
    api_keys_file: Path | None = Field(None, description="The same as a TOML file: a table [keys.NAME] for each.")
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Names by which the service may be asked, with commas; addresses and localhost always are."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    slow_query_ms: float = Field(2500.0, ge=0, description="Queries that take longer are logged by stage; 0 for none.")
    drain_s: float = Field(
        1.0, ge=0, le=600, description="After SIGTERM everybody is still answered so long, while /readyz says no."
    )
    traces: bool = Field(False, description="Tell traces by OpenTelemetry (extra otel), to where OTEL_... says.")

    max_body_bytes: int = Field(10 * MIB, ge=1024, description="Largest request body.")
    max_buffered_bytes: int = Field(160 * MIB, ge=1024, description="Largest sum of all bodies held at one time.")
    body_timeout_s: float = Field(30.0, gt=0, description="A body must have arrived completely after so long.")
    max_seconds: float = Field(30.0, gt=0, le=600, description="Longest utterance.")
    queue_size: int = Field(
        64, ge=1, description="Queries being decoded or encoded, or waiting for it; more are refused."
    )
    queue_seconds: float = Field(600.0, gt=0, description="Seconds of audio waiting to be encoded; more are refused.")
    max_streams: int = Field(32, ge=1, description="Live searches at one time; more are refused.")
    batch_size: int = Field(8, ge=1, description="Most queries that are encoded together, where that pays: on a GPU.")
    batch_seconds: float = Field(240.0, gt=0, description="Most seconds of audio that are encoded together.")
    decode_threads: int = Field(2, ge=1, le=64, description="Bodies decoded at one time.")
    decode_isolation: bool = Field(
        False, description="Decode audio and images in processes of their own, with limits; as many as decode threads."
    )
    search_threads: int = Field(2, ge=1, le=64, description="Searches run at one time.")
    deadline_s: float = Field(30.0, gt=0, description="A query that is not answered after so long is given up.")
    max_items: int = Field(256, ge=1, le=4096, description="Most items in one batch.")
    max_batch_bytes: int = Field(64 * MIB, ge=1024, description="Largest request body with items for a collection.")
    max_snapshot_bytes: int = Field(16 * GIB, ge=1024, description="Largest snapshot that can be sent.")
    batch_deadline_s: float = Field(300.0, gt=0, description="A batch that is not embedded after so long is given up.")

    @field_validator("workers")
    @classmethod
    def _one_process_owns_the_model(cls, workers: int) -> int:
        if workers != 1:
            raise ValueError(
                "must be 1: one process owns the model, and every further one would load its own; "
                "run more copies of the service on other ports instead"
            )
        return workers

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _from_commas(cls, value: object) -> object:
        return [name.strip().lower() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("store")
    @classmethod
    def _is_address(cls, store: str) -> str:
        try:
            parse(store, Path())
        except InvalidAddress as error:
            raise ValueError(str(error)) from None
        return store

    @field_validator("traces")
    @classmethod
    def _has_its_extra(cls, traces: bool) -> bool:
        try:
            return traces and bool(version(TRACES_PACKAGE))
        except PackageNotFoundError:
            raise ValueError("needs OpenTelemetry: install speechclip-search[otel]") from None

    @field_validator("data", "registry", "api_keys_file")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @property
    def snapshots(self) -> Path:
        """Folder of snapshots of collections."""
        return self.data / "snapshots"

    @property
    def models(self) -> Path:
        """Folder of pulled models."""
        return models_below(self.data)
