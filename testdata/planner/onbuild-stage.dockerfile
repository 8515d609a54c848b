# Triggers of a stage run in its children, not in itself; they can need images and stages.
FROM busybox AS tools
COPY tool /bin/
FROM busybox AS base
ONBUILD COPY --from=tools /bin/tool /bin/
ONBUILD ARG LEVEL=1
RUN base
FROM base AS child
ARG LEVEL
RUN child
FROM triggers-of-image
COPY --from=child / /child/
