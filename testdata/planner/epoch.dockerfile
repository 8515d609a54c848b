# options: --build-arg=SOURCE_DATE_EPOCH=time
# The time of everything is that of a file.
FROM scratch AS time
ADD https://example.com/release.tar /
FROM busybox
ARG SOURCE_DATE_EPOCH
RUN x
