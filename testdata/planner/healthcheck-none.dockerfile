# The health check of the base is switched off.
FROM scratch AS checked
HEALTHCHECK CMD check
FROM checked
HEALTHCHECK NONE
