# The origin of a copy is known before variables are.
ARG STAGE=build
FROM scratch AS build
FROM scratch
COPY --from=$STAGE a b
