# A linked copy is a layer that depends on nothing below it; a mode is applied in place.
FROM busybox
RUN a
COPY --link a /a
COPY --link --chmod=0755 b /b
FROM busybox
COPY --link a /a
