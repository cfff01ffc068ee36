# The suite as an image: docker build -t conformance . && docker run --rm conformance run -q
FROM python:3.13-slim

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY schemas ./schemas
COPY conformance ./conformance
RUN pip install --no-cache-dir --disable-pip-version-check . \
    && rm -rf /src \
    && useradd --uid 10001 --create-home judge \
    && install -d -o judge -g judge /runs

# Runs and the history are written to /runs: mount a volume there to keep them.
USER 10001
WORKDIR /runs
ENTRYPOINT ["conformance"]
CMD ["--help"]
