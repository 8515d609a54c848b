# What was meant to be JSON arrays and is text for a shell, or words of a list: notes beside the warnings.
FROM scratch
CMD ['sleep', '10']
ENTRYPOINT ["sleep", "10",]
VOLUME ['/data']
EXPOSE 80/TCP
COPY missing /
