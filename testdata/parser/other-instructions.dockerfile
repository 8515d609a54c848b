FROM alpine
MAINTAINER A B <a@example.com>
EXPOSE 80 443/tcp $PORTS
VOLUME /a /b
VOLUME ["/c d"]
VOLUME [""]
VOLUME []
USER $user:staff
USER
WORKDIR /with blank/x
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m30s --timeout=.5s --start-period=0s --retries=3 CMD curl -f "http://localhost/" || exit 1
HEALTHCHECK CMD ["true"]
HEALTHCHECK none
HEALTHCHECK NONE x
HEALTHCHECK CMD
HEALTHCHECK --interval=1us --timeout=5 --retries=-1 CMD true
HEALTHCHECK SOMETIMES x
ONBUILD RUN --mount=type=cache,target=/x make
ONBUILD FROM x
ONBUILD ONBUILD RUN x
ONBUILD COPY only-one
