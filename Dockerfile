# An image with edgec, for CI systems.
#
#   docker build -t edgec .                            from the source in this folder
#   docker build -t edgec --build-arg EDGEC=prebuilt . from release-files/, which release/make.sh wrote
#
# The second way needs no compiler, and gives an image for each CPU that has an archive. Check the
# signature of SHA256SUMS first (docs/release.md); the image checks the digests.

ARG EDGEC=source

FROM rust:1.95-slim-trixie AS source
# The image of the compiler is the version: its Debian has one g++, and keeps no older one.
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
COPY . /source
WORKDIR /source
RUN cargo build --profile dist --locked --package edgec \
    && install -D target/dist/edgec /edgec/bin/edgec \
    && install -D integrations/ci-build.sh /edgec/share/edgec/ci-build.sh \
    && install -D -m 644 LICENSE /edgec/share/doc/edgec/LICENSE

FROM debian:trixie-slim AS prebuilt
ARG TARGETARCH
COPY release-files/ /release-files/
WORKDIR /release-files
# If SHA256SUMS does not name the archive, the build fails.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN case "$TARGETARCH" in \
        amd64) machine=x86_64 ;; \
        arm64) machine=aarch64 ;; \
        *) echo "no edgec for $TARGETARCH" >&2; exit 1 ;; \
    esac \
    && archive=$(ls edgec-*-"$machine"-unknown-linux-gnu.tar.gz) \
    && grep -F "  $archive" SHA256SUMS | sha256sum --check --strict \
    && mkdir /edgec \
    && tar -xzf "$archive" -C /edgec --strip-components=1 --no-same-owner

FROM ${EDGEC} AS chosen

FROM debian:trixie-slim
COPY --from=chosen /edgec/ /usr/local/
# A shared cache behind TLS needs the certificates of authorities.
# hadolint ignore=DL3008
RUN apt-get update -q \
    && apt-get install -q -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*
RUN ln -s ../share/edgec/ci-build.sh /usr/local/bin/edgec-ci-build \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin edgec \
    && install -d -o edgec -g edgec /work \
    && edgec --version
USER 10001:10001
WORKDIR /work
ENTRYPOINT ["edgec"]
CMD ["--help"]
