# What was meant to be a JSON array is a command for the shell: a warning beside the error.
FROM scratch
CMD ['sleep', '10']
ENTRYPOINT ["sleep", "10",]
RUN [ "$HOME" = /root ]
EXPOSE eighty
