# Only ARG can stand before the first FROM.
ARG VERSION=1
RUN true
FROM scratch
