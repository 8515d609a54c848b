# options: --build-context=alpine=docker-image://busybox:2 --build-context=docs=dir --build-context=built=git://example.com/r#main --build-context=busybox::linux/arm64=other --build-context=layout=oci-layout://dir:tag
# A named context takes the place of an image or of a whole stage.
FROM alpine:latest AS base
RUN --mount=from=docs,source=manual,target=/m true
COPY --from=layout /a /a
FROM busybox AS built
RUN never
FROM base
COPY --from=built / /built/
COPY --from=docs . /docs/
