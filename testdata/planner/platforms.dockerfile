# options: --platform=linux/amd64,linux/arm64
# What does not depend on the target is one vertex.
FROM --platform=$BUILDPLATFORM busybox AS build
COPY src /src
RUN fetch
ARG TARGETARCH
RUN make $TARGETARCH
FROM build AS tested
RUN test
FROM busybox
COPY --from=tested /out /
WORKDIR /w
