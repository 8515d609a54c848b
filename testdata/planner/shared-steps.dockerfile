# Equal steps of two stages are one vertex, which serves both.
FROM busybox AS a
RUN same
FROM busybox AS b
RUN same
FROM scratch
COPY --from=a / /a/
COPY --from=b / /b/
