# An origin is a stage by its name or number, an image, or nothing at all.
FROM scratch AS Files
COPY a /a
FROM scratch
COPY --from=files /a /name
COPY --from=0 /a /number
COPY --from=tools:2 /bin/tool /image
COPY --from=scratch / /nothing
