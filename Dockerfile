# A static binary and nothing else: no shell, no libraries, no root.
FROM rust:1.95-alpine AS build
RUN apk add --no-cache musl-dev gcc
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src src
# The manifest names them; nothing of them goes into the binary.
COPY benches benches
COPY tests tests
RUN cargo build --release --locked --bin seedbed

FROM scratch
COPY --from=build /build/target/release/seedbed /seedbed
USER 65534:65534
WORKDIR /project
# The project: in an image of your own, COPY it here; or mount it.
ENTRYPOINT ["/seedbed"]
CMD ["up"]
