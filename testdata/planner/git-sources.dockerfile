# What a git reference can say, in its fragment or in its query.
FROM scratch
ADD https://example.com/r.git /default/
ADD https://example.com/r.git#main:docs /fragment/
ADD https://example.com/r.git?tag=v1&subdir=docs&keep-git-dir=true&submodules=false /query/
ADD https://example.com/r.git?ref=main&checksum=0123456789abcdef /checksum/
ADD --checksum=0123456789abcdef git://example.com/r#v1 /flag/
ADD --keep-git-dir=true ssh://git@example.com/r.git /ssh/
