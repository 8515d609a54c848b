# options: --build-arg=BOTH=cli
# The later one of ENV and ARG is what steps see; the image has the value of ENV.
FROM scratch
ARG BOTH=default
ENV BOTH=env
ARG BOTH=again
RUN ["run", "$BOTH"]
LABEL both=$BOTH
