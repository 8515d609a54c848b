# Directories are made for the user of then; relative ones are below the one before.
FROM scratch
WORKDIR sub
USER 1000:1000
WORKDIR deeper/../other
WORKDIR /
WORKDIR /a//b/.
USER name
