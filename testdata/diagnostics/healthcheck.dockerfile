# Times and numbers that are none.
FROM scratch
HEALTHCHECK --interval=5 CMD a
HEALTHCHECK --timeout=10us CMD a
HEALTHCHECK --retries=-1 CMD a
HEALTHCHECK CMD
