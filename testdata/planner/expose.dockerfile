# Ports are sorted; addresses and ports of the host are left out.
FROM scratch
ENV RANGE=9000-9001
EXPOSE 8080 443/udp 53/sctp 7000-7002/tcp $RANGE
EXPOSE 127.0.0.1:80:8000 22/TCP
