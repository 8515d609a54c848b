# What mounts say is looked at while planning, when variables are known.
FROM busybox AS one
ARG TYPE=chace
RUN --mount=type=$TYPE,target=/x true
RUN --mount=tagret=/x true
RUN --mount=type=bind,target=/x,mode=0700 true
RUN --mount=size=1,type=tmpfs,target=/x true
RUN --mount=type=secret true
RUN --mount=type=cache,target=/x,sharing=sharde true
RUN --mount=type=ssh,source=/agent true
RUN --mount=target=/ true
RUN --mount=from=two,target=/x true
RUN --network=host true
RUN --security=insecure true
FROM one AS two
