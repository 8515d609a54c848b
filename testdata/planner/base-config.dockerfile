# What a base says about its image is inherited, and ENTRYPOINT drops its CMD.
FROM app
LABEL own=1 from=here
EXPOSE 443 53/udp
ENTRYPOINT run it
RUN pwd
WORKDIR sub
