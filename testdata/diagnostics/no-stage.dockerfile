# Nothing to build.
ARG VERSION=1
