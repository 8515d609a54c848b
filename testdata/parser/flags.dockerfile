# Flags end at the first other word or at `--`; quotes and escapes are resolved, blanks need them.
FROM scratch
COPY --chown="a b":c --chmod=u=rw\ x a b
COPY --from=a --link --parents=false -- --not-a-flag /to/
ADD --unpack --keep-git-dir=FALSE --checksum=sha256:x a b
RUN --network=none --mount=target=/a -x --mount=not-a-flag
ENV -- A=b
