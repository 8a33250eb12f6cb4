# syntax=docker/dockerfile:1
#
#   docker build -t speechclip-search .                       on a CPU
#   docker build --target gpu -t speechclip-search:gpu .      on an NVIDIA GPU (to run: the NVIDIA container toolkit)

# A Debian with Python 3.11 to 3.13 as `python`, and pip.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1

FROM base AS build
ENV UV_CACHE_DIR=/var/cache/uv UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy VIRTUAL_ENV=/opt/speechclip
RUN pip install --no-cache-dir "uv>=0.9,<1" && uv venv "$VIRTUAL_ENV"
WORKDIR /src

# Packages and source are layers of their own: a change of source is a small download.
FROM build AS packages
COPY pyproject.toml constraints.txt docker/slim.sh ./

FROM packages AS packages-cpu
# Where torch comes from: PyTorch's own index. Empty where the index that uv knows has a build for the CPU.
ARG TORCH_BACKEND=cpu
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install ${TORCH_BACKEND:+--torch-backend=$TORCH_BACKEND} --constraint constraints.txt \
        --requirements pyproject.toml --extra cpu --extra milvus --extra otel \
    && sh slim.sh

FROM packages AS packages-gpu
# CUDA 12, as faiss-gpu is built for: with a torch for 13, CUDA's libraries would be there twice. Blackwell needs cu130.
ARG TORCH_BACKEND=cu126
RUN --mount=type=cache,target=/var/cache/uv \
    uv pip install ${TORCH_BACKEND:+--torch-backend=$TORCH_BACKEND} --constraint constraints.txt \
        --requirements pyproject.toml --extra gpu --extra milvus --extra otel \
    && sh slim.sh

FROM build AS source
COPY . .
RUN --mount=type=cache,target=/var/cache/uv uv pip install --no-deps .

FROM base AS runtime
RUN useradd --create-home --uid 10001 speechclip && install --directory --owner=speechclip /data
COPY docker/healthcheck.py /usr/local/lib/speechclip/healthcheck.py
ENV PATH=/opt/speechclip/bin:$PATH SPEECHCLIP_DATA=/data SPEECHCLIP_HOST=0.0.0.0 SPEECHCLIP_DECODE_ISOLATION=true
USER speechclip
WORKDIR /data
VOLUME /data
EXPOSE 8000
# The first start computes the vectors of the default collections.
HEALTHCHECK --interval=30s --timeout=6s --start-period=180s --retries=3 \
    CMD ["python", "/usr/local/lib/speechclip/healthcheck.py"]
ENTRYPOINT ["speechclip"]
CMD ["serve"]

FROM runtime AS gpu
COPY --from=packages-gpu /opt/speechclip /opt/speechclip
COPY --from=source /opt/speechclip /opt/speechclip

# Last, so that a build without --target makes this one.
FROM runtime AS cpu
COPY --from=packages-cpu /opt/speechclip /opt/speechclip
COPY --from=source /opt/speechclip /opt/speechclip
