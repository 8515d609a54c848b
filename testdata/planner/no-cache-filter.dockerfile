# options: --no-cache-filter=build
FROM busybox AS build
RUN fresh
COPY a /
FROM busybox
RUN cached
COPY --from=build /a /
