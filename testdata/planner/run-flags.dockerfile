# options: --allow=network.host --allow=security.insecure
# The network and the confinement of a step are part of it.
FROM scratch
RUN --network=none ["loopback only"]
RUN --network=host ["network of the machine"]
RUN --network=default --security=sandbox ["as usual"]
RUN --security=insecure ["all capabilities"]
