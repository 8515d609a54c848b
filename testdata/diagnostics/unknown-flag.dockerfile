# Flags that an instruction does not have, has twice, or has without a value.
FROM scratch
COPY --form=build a b
COPY --chown=1 --chown=2 a b
COPY --chmod a b
COPY --link=maybe a b
ENV --a=b c=d
