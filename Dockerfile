# syntax=docker/dockerfile:1
# stylesearch as a service. The workspace lies in the volume /workspace; see docs/serving.md.
#
#   docker build -t stylesearch .
#   docker build -t stylesearch:gpu --build-arg VARIANT=gpu .

# The version of Python that the tests run on. Both stages need the same.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
# Annoy is C++ source. The compiler stays behind in this stage.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
# cpu, or gpu: then TensorFlow comes with CUDA's libraries, some gigabytes.
ARG VARIANT=cpu
# Left alone, Annoy is compiled for the very processor that builds the image, and crashes on an older one.
# x86-64-v3 has AVX2, which TensorFlow and OpenVINO are quick with; on ARM: MARCH=armv8-a.
ARG MARCH=x86-64-v3
ENV ANNOY_FLAGS=-O3,-ffast-math,-fno-associative-math,-fpermissive,-std=c++14,-DANNOYLIB_MULTITHREADED_BUILD
ENV ANNOY_COMPILER_ARGS=-march=${MARCH},${ANNOY_FLAGS}
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/stylesearch
ENV PATH=/opt/stylesearch/bin:$PATH
WORKDIR /source
COPY . .
# No cache: an Annoy in it may have been compiled for another processor.
RUN case "$VARIANT" in \
      cpu) extras=annoy,postgres,serve ;; \
      gpu) extras=annoy,postgres,serve,gpu ;; \
      *) echo "VARIANT is cpu or gpu, not $VARIANT" >&2; exit 1 ;; \
    esac \
    && python -m pip install --no-cache-dir --constraint constraints.txt ".[$extras]" \
    && python -m pip check

FROM python:${PYTHON}-slim-bookworm
RUN groupadd --gid 10001 stylesearch \
    && useradd --uid 10001 --gid stylesearch --no-create-home --home-dir /workspace \
       --shell /usr/sbin/nologin stylesearch \
    && install --directory --owner=stylesearch --group=stylesearch \
       /workspace /uploads /var/cache/stylesearch /usr/local/share/stylesearch
COPY --from=build /opt/stylesearch /opt/stylesearch
# 0.0.0.0 is the container's own network: which address of the machine leads there, `docker run -p` says.
ENV PATH=/opt/stylesearch/bin:$PATH \
    STYLESEARCH_HOME=/workspace \
    STYLESEARCH_CACHE=/var/cache/stylesearch \
    STYLESEARCH_SHIPPED=/usr/local/share/stylesearch \
    STYLESEARCH_SERVE_HOST=0.0.0.0 \
    STYLESEARCH_SERVE_PORT=8000 \
    KERAS_HOME=/tmp/keras \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
# The default network is converted here, so that no first start has to: that takes TensorFlow, and its while.
RUN python -c "import numpy, stylesearch; \
network = stylesearch.load_extractor('efficientnet-lite0@320', engine='openvino', throughput=True); \
network.extract(numpy.zeros((1, network.input_size, network.input_size, 3), numpy.uint8))" \
    && rm -rf /tmp/keras
# The files that find persons in photos (docs/persons.md), outside of the cache: a volume of an older container
# would hide them there. Without a network the image is built all the same.
RUN PIP_NO_CACHE_DIR=1 STYLESEARCH_CACHE=$STYLESEARCH_SHIPPED stylesearch weights fetch --quiet \
    || echo "without these files persons are not looked for in photos; searches work as before" >&2
WORKDIR /workspace
VOLUME /workspace
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["stylesearch"]
CMD ["serve"]
