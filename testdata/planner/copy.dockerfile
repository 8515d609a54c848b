# Everything that COPY can be told.
FROM busybox
ARG WHO=app
COPY --chown=${WHO}:users --chmod=u=rwX,go=rX a* b/./c /to/
COPY --exclude=*.md --exclude=!keep.md . /x
COPY --parents src/./lib/*.c src/main.c /y/
COPY ["with space", "/z/"]
COPY <<ONE plain <<"TWO" /docs/
Hello ${WHO}, 'quoted' $NOBODY
ONE
Hello ${WHO}
TWO
