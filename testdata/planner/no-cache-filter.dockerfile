# options: --no-cache-filter=build
FROM busybox AS build
RUN fresh
COPY --link a /
WORKDIR /w
FROM busybox
RUN cached
COPY --from=build /a /
