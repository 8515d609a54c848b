FROM alpine AS files
FROM alpine
COPY --from=files --chown=$user:staff --chmod=u=rwX,go=rX --link=true --parents --exclude=*.md --exclude="a b" a b/ /c/
COPY ["with blank", "$dir/"]
ADD --checksum=sha256:$sum --keep-git-dir --unpack=false https://example.com/x.git#v1 /x
COPY -- --odd /x
COPY a
COPY
COPY --form=files a b
COPY --FROM=files a b
COPY --link=perhaps --chown a b
COPY --chown=a --chown=b a b
COPY --from=$files a b
