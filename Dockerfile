# Two images:
#
#   docker build -t rclone-gateway .                         the gateway
#   docker build -t rclone-gateway-client --target client .  gatewayctl and restic
#
# BuildKit is needed (DOCKER_BUILDKIT=1 before Docker 23). Binaries are
# cross-compiled, so that --platform linux/arm64 takes no emulation. Build arguments:
#
#   BACKENDS            all of rclone's, or "curated": those that docs/storage.md
#                       names, in half the size
#   VERSION             what --version says
#   REVISION            the commit, for the label
#   SOURCE_DATE_EPOCH   the time of every file, in seconds; the same sources then
#                       make the same layers
#   GOPROXY             where Go's modules come from, if not from the usual place

ARG GO_VERSION=1.26
ARG RESTIC_VERSION=0.18.1
ARG BUSYBOX_VERSION=1.37-musl

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-alpine AS build
ARG TARGETOS TARGETARCH GOPROXY
ARG VERSION=unknown
ENV CGO_ENABLED=0 GOFLAGS="-trimpath -buildvcs=false" GOCACHE=/go/build-cache
WORKDIR /src

# The curated image gives up what small size asks for: that the compiler inlines
# functions of the libraries, and that each begins at a multiple of 32 bytes. Go's
# own packages and ours, where the time of a request goes, are as always. Why the text
# begins where it does on amd64, the Makefile says.
FROM build AS gateway-build
ARG BACKENDS=all
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/go/build-cache \
    module=github.com/rclone-gateway/rclone-gateway; \
    case $BACKENDS in \
      all) align=; set -- ;; \
      curated) align=-funcalign=8; set -- -tags=curated -gcflags=all=-l -gcflags=std= "-gcflags=$module/...=" ;; \
      *) echo "BACKENDS is \"$BACKENDS\": it must be all or curated" >&2; exit 1 ;; esac; \
    case $TARGETOS/$TARGETARCH in linux/amd64) text="-T 0x411000" ;; *) text= ;; esac; \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build "$@" \
      -ldflags "-s -w $align $text -X $module/internal/version.version=$VERSION" \
      -o /out/usr/bin/ ./cmd/rclone-gateway
ARG SOURCE_DATE_EPOCH=0
RUN ln -s rclone-gateway /out/usr/bin/rclone && \
    mkdir -p /out/etc/ssl/certs /out/etc/rclone /out/srv/repo /out/var/lib/rclone-gateway /out/tmp && \
    chmod 1777 /out/tmp && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && \
    mkdir -p /out/usr/share && cp /usr/local/go/lib/time/zoneinfo.zip /out/usr/share/ && \
    echo 'gateway:x:65532:65532::/var/lib/rclone-gateway:/sbin/nologin' >/out/etc/passwd && \
    echo 'gateway:x:65532:' >/out/etc/group && \
    chown 65532:65532 /out/srv/repo /out/var/lib/rclone-gateway && \
    find /out -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# As small as can be, like the curated one: what takes time in the client is restic.
FROM build AS client-build
RUN --mount=type=bind,target=. \
    --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/go/build-cache \
    GOOS=$TARGETOS GOARCH=$TARGETARCH go build -gcflags=all=-l -tags nethttpomithttp2 \
      -ldflags "-s -w -funcalign=8 -X github.com/rclone-gateway/rclone-gateway/internal/version.version=$VERSION" \
      -o /out/usr/bin/ ./cmd/gatewayctl && \
    mkdir /links && go build -gcflags=all=-l -tags nethttpomithttp2 -o /links/ ./cmd/gatewayctl && /links/gatewayctl install-links /links && \
    for link in /links/*; do [ ! -L "$link" ] || ln -s gatewayctl "/out/usr/bin/${link##*/}"; done

FROM restic/restic:${RESTIC_VERSION} AS restic

FROM build AS client-files
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=bind,from=client-build,source=/out,target=/gatewayctl \
    --mount=type=bind,from=restic,source=/usr/bin/restic,target=/restic \
    mkdir -p /out/etc/ssl/certs /out/srv/state /out/srv/volumes /out/srv/restored /out/var/cache/restic && \
    cp -a /gatewayctl/usr /out/ && cp /restic /out/usr/bin/restic && \
    cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ && \
    mkdir -p /out/usr/share && cp /usr/local/go/lib/time/zoneinfo.zip /out/usr/share/ && \
    chown 65532:65532 /out/srv /out/srv/* /out/var/cache/restic && \
    mkdir /out/var/tmp && chmod 1777 /out/var/tmp && \
    find /out -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

# The commands that modules bring along are scripts, so there is a shell.
FROM busybox:${BUSYBOX_VERSION} AS client
COPY --from=client-files /out/ /
ENV AGENT_INSTALL_DIR=/srv AGENT_STATE_DIR=/srv/state \
    NS8_RESTIC_RUNTIME=native RESTIC_CACHE_DIR=/var/cache/restic \
    ZONEINFO=/usr/share/zoneinfo.zip \
    PATH=/srv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
USER 65532:65532
WORKDIR /srv
ENTRYPOINT []
CMD ["gatewayctl", "--help"]
ARG VERSION=unknown
ARG REVISION=
LABEL org.opencontainers.image.title="rclone-gateway client" \
      org.opencontainers.image.description="Backs up and restores modules with restic, through rclone-gateway" \
      org.opencontainers.image.source="https://github.com/rclone-gateway/rclone-gateway" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM scratch AS gateway
COPY --from=gateway-build /out/ /
# Who may come in from other hosts is said with GATEWAY_ALLOW_FROM.
ENV GATEWAY_ADDR=:4694 GATEWAY_STATE_DIR=/var/lib/rclone-gateway \
    PATH=/usr/bin ZONEINFO=/usr/share/zoneinfo.zip
USER 65532:65532
EXPOSE 4694
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/bin/rclone-gateway", "health"]
ENTRYPOINT ["/usr/bin/rclone-gateway"]
CMD ["serve"]
ARG VERSION=unknown
ARG REVISION=
LABEL org.opencontainers.image.title="rclone-gateway" \
      org.opencontainers.image.description="Keeps each application to its own restic repository, on any storage that rclone knows" \
      org.opencontainers.image.source="https://github.com/rclone-gateway/rclone-gateway" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
