# What steps are called: words are expanded as the instruction does, a command as far as it can be.
FROM scratch
ARG WHO=me
WORKDIR "/home/$WHO$NOBODY"
COPY --chown=$WHO "a" ${NOBODY}c /x/
RUN echo "$WHO" '$WHO' $NOBODY
RUN <<END
cat <<EOF
$WHO
EOF
END
