ARG TAG=3.20
FROM alpine:$TAG
FROM --platform=${BUILDPLATFORM:-linux/amd64} alpine AS Base-1.x
from scratch as final
FROM alpine AS 1st
FROM alpine build
RUN belongs to the broken stage
FROM
