# Local archives are unpacked, remote files only on request; what is remote is pinned.
FROM busybox
ENV VERSION=1.2
ADD app.tar.gz notes.txt /app/
ADD --unpack=false app.tar.gz /raw/
ADD https://example.com/tool.tar.gz /opt/
ADD --unpack --checksum=sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa https://example.com/v$VERSION/disposition/ /opt/
ADD --keep-git-dir https://example.com/r.git#v1:docs /docs/
ADD git@example.com:r.git?branch=main&submodules=false /src/
