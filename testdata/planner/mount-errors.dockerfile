# What depends on variables is found while planning.
FROM busybox AS one
ARG TYPE=chace
RUN --mount=type=$TYPE,target=/x true
RUN --mount=target=/ true
RUN --mount=from=two,target=/x true
RUN --network=host true
RUN --security=insecure true
FROM one AS two
