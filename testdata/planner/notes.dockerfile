# Rules that BuildKit does not have; they give notes and no warnings.
# options: --ignore=build,!build/keep --build-arg=REVISION=1
FROM busybox AS base
ARG REVISION=0
ARG CONSTANT=1
RUN apt-get install make
RUN <<EOF
make
make install
EOF
COPY build/out /srv/
COPY *.conf /etc/
LABEL revision=$REVISION
HEALTHCHECK CMD ['true']
# check=skip=MalformedJsonForm the shell is meant
RUN ['true']
FROM base
# check=skip=ArgBustsCache
ARG SKIPPED
RUN make
