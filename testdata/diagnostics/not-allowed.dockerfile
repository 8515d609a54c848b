# What a build has to permit.
FROM scratch
RUN --network=host ["true"]
RUN --security=insecure ["true"]
