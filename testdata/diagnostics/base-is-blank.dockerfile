# The variable in FROM has no value.
ARG BASE
FROM $BASE
