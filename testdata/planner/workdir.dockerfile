# Directories are made by the user of the stage; an absolute path keeps its spelling.
FROM busybox
WORKDIR //srv//app/../
WORKDIR sub/../deep
USER app
WORKDIR home
COPY a .
COPY a ../up/
COPY a /abs
WORKDIR /
COPY a b
