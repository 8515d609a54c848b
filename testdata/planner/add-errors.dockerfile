# All mistakes are found at once.
FROM scratch
ADD --checksum=sha256:00 https://example.com/a /
ADD --checksum=sha256:00 a b /to/
ADD --checksum=sha256:00 a /
ADD https://example.com/r.git?depth=1 /
ADD --keep-git-dir=false https://example.com/r.git?keep-git-dir=true /
COPY https://example.com/a /
COPY git@example.com:r.git /
COPY --chmod=rubbish a /
COPY --chmod=77777 a /
