# options: --build-arg=GIVEN=cli --build-arg=UNDECLARED=x --build-arg=HTTP_PROXY=http://proxy
ARG IMAGE=busybox
ARG GLOBAL=global
FROM ${IMAGE}
ARG GIVEN=default
ARG GLOBAL NOTHING TARGETARCH
ENV DERIVED=${GIVEN}-${UNDECLARED:-none} GIVEN=env
RUN env
ARG GIVEN=again
RUN env
