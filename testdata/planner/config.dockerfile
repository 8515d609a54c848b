# options: --label=own=flag --label=added=1
FROM scratch
MAINTAINER somebody
ENV A=1 B="two words" PATH=/bin
LABEL own=file "a key"=x
EXPOSE 8000-8001/tcp 80
VOLUME /data /logs
VOLUME ["/json", "/two words"]
USER me:us
STOPSIGNAL SIGRTMIN+3
SHELL ["/bin/sh", "-ec"]
HEALTHCHECK --interval=90s --retries=3 CMD check me
HEALTHCHECK CMD ["/check"]
CMD ["a", "\"b\"\n"]
ENTRYPOINT c d
CMD []
ONBUILD RUN echo later
