# options: --platform=linux/amd64,linux/arm64
# What does not depend on the target is one vertex.
FROM --platform=$BUILDPLATFORM busybox AS build
COPY src /src
RUN fetch
ARG TARGETARCH
RUN make $TARGETARCH
FROM busybox
COPY --from=build /out /
WORKDIR /w
