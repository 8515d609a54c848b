# options: --build-arg=SOURCE_DATE_EPOCH=
# An empty value is none, so the default counts.
FROM scratch
ARG SOURCE_DATE_EPOCH=7
LABEL epoch=$SOURCE_DATE_EPOCH
