# Only what the target needs is planned; a stage is named in any case, or by its number.
FROM busybox AS build
COPY src/ /src/
RUN make
FROM busybox AS unused
RUN never
FROM scratch AS assets
COPY --from=build /src/out /assets/
FROM build AS final
COPY --from=ASSETS /assets /srv
COPY --from=0 /src/out /bin/
COPY --from=alpine:3 /etc/os-release /etc/
