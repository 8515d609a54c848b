ARG ok
RUN too early
ENV also=early
FROM alpine
