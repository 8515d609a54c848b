# Mounts that mean nothing: each option is told apart.
FROM scratch
RUN --mount=type=chace,target=/a true
RUN --mount=type=cache,taget=/a true
RUN --mount=type=cache,target=/a,sharing=lock true
RUN --mount=type=tmpfs,target=/a,mode=0700 true
RUN --mount=type=secret true
RUN --mount=type=cache,target true
