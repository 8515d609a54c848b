# Values that an instruction cannot use.
FROM scratch
STOPSIGNAL SIGTREM
EXPOSE eighty
COPY --chmod=rwx a b
ADD --checksum=sha256:12 https://example.com/a /
ADD --checksum=sha256:12 a b /
COPY https://example.com/a /
COPY --exclude=[ a b
RUN --mount=target=/ ["true"]
