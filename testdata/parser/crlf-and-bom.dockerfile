# escape=`
FROM alpine
RUN a `
  b
RUN <<EOF
kept
EOF
