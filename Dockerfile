# The control plane as an image: `docker build -t controlplane .`
# Dependencies and the build's own tools come by hash from the two locks.

FROM python:3.11-slim-bookworm AS builder
# The same as in the Makefile.
ARG UV_VERSION=0.13.9
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir --disable-pip-version-check uv==${UV_VERSION}
WORKDIR /build

# Before the sources, so that a change of these does not fetch the dependencies again.
COPY requirements.lock requirements-dev.lock ./
RUN uv venv /opt/controlplane && \
    uv pip sync --python /opt/controlplane/bin/python --require-hashes requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY domain domain
COPY projections projections
COPY controlplane controlplane
RUN uv build --wheel --require-hashes --build-constraints requirements-dev.lock --out-dir dist && \
    uv pip install --python /opt/controlplane/bin/python --no-deps --no-index dist/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/controlplane --create-home controlplane
COPY --from=builder /opt/controlplane /opt/controlplane
ENV PATH=/opt/controlplane/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CONTROLPLANE_HOST=0.0.0.0 \
    CONTROLPLANE_PORT=8080 \
    CONTROLPLANE_DATA_DIR=/var/lib/controlplane
USER 10001
WORKDIR /var/lib/controlplane
EXPOSE 8080
# Alive, not ready: who is only waiting for the database must not be killed for it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['CONTROLPLANE_PORT']}/healthz\", timeout=2)"]
ENTRYPOINT ["controlplane"]
CMD ["serve"]
