# A static program, run by nobody in particular, in an image that has nothing else:
#   docker build -t topsell .
#   docker run --rm -v topsell-lake:/lake -v "$PWD/logs:/logs:ro" topsell ingest /logs
#   docker run -d --name topsell -p 127.0.0.1:7600:7600 -v topsell-lake:/lake -v "$PWD/tokens.txt:/tokens.txt:ro" \
#       topsell serve --listen 0.0.0.0:7600 --token-file /tokens.txt
# A folder of the host's in the place of the volume must belong to 65532.

# Alpine's Rust links to musl, statically.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache build-base linux-headers
WORKDIR /topsell
COPY Cargo.toml Cargo.lock ./
COPY src src
# Cargo wants to see every target that Cargo.toml names.
COPY tests/bench/micro.rs tests/bench/micro.rs
RUN cargo build --release --locked
# What a container of nothing lacks: a lake's folder to mount on, and one for files of the moment.
RUN mkdir -p /image/lake /image/tmp && cp target/release/topsell /image/topsell && chmod 1777 /image/tmp
# The jobs that come with it: topsell run /jobs/hourly.toml
COPY jobs/hourly.toml jobs/nightly.toml /image/jobs/

FROM scratch
COPY --from=build --chown=65532:65532 /image/ /
USER 65532:65532
ENV TOPSELL_LAKE=/lake
VOLUME /lake
WORKDIR /lake
# Of the server.
EXPOSE 7600
ENTRYPOINT ["/topsell"]
