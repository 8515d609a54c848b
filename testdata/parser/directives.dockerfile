# syntax=docker/dockerfile:1
# Escape = `
# check=skip=JSONArgsRecommended;error=true
# an ordinary comment ends the directives
# escape=\
FROM alpine
RUN echo C:\ `
  && echo "a`"b"
COPY --chown=a` b C:\x D:\
