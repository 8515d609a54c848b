# The error is told where it is, in the middle of a long instruction, however its lines are joined.
FROM scratch
RUN --mount=type=cache,target=/a \
    # a comment between
    --mount=type=cache,target=/b,sharing=never \
    make
