# Where variables are replaced, and where the shell or nobody does it.
ARG TAG=1
FROM --platform=$TARGETPLATFORM busybox:$TAG
ENV V=v MODE=0600
ARG WITH_DEFAULT=$V
WORKDIR /$V
USER $V
EXPOSE 80$TAG${PORT:-80}
VOLUME /$V
STOPSIGNAL ${SIGNAL:-SIGINT}
LABEL key-$V=$V
COPY --chown=$V --chmod=$MODE $V /$V/
ADD $V.tar /$V/
RUN --mount=type=cache,target=/$V,id=$V echo $V
SHELL ["/bin/$V", "-c"]
CMD echo $V
ENTRYPOINT ["echo", "$V"]
HEALTHCHECK CMD test $V
ONBUILD RUN echo $V
