# options: --build-context=base=target:tools --build-context=other=target:TOOLS --build-context=docs=target:build
# Named contexts that stand for earlier stages: as a base, in place of a stage, and to copy from.
FROM busybox AS tools
ENV A=1
RUN install
FROM base AS build
RUN make
FROM busybox AS other
RUN never
FROM other
COPY --from=docs /doc /doc
