# ONBUILD takes every instruction but three; what would fail is told as a warning.
FROM scratch
ONBUILD ADD a b
ONBUILD ARG A=b
ONBUILD COPY <<EOF /to
text
EOF
ONBUILD ENV A b
ONBUILD HEALTHCHECK --interval=x CMD true
ONBUILD RUN --mount=type=cache,target=/c make
ONBUILD MAINTAINER me
ONBUILD FROM scratch
ONBUILD ONBUILD RUN x
ONBUILD
