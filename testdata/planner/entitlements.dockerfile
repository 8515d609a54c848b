# options: --allow=network.host --allow=security.insecure --network=none --add-host=db
FROM busybox
RUN one
RUN --network=default two
RUN --network=host --security=insecure three
