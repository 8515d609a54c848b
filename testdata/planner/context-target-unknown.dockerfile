# options: --build-context=base=target:tolls
# A named context that stands for a stage which is not there.
FROM busybox AS tools
FROM base
