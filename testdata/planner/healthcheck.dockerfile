# All options of a health check.
FROM scratch
HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=2h --start-interval=250ms --retries=7 CMD ["check", "it"]
