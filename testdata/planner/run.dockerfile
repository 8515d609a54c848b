# A RUN for each way to write a command.
FROM busybox
RUN echo "shell form" && true
RUN ["/bin/echo", "exec form"]
RUN <<EOF
echo several
echo lines
EOF
RUN <<SCRIPT
#!/bin/ash
echo a file
SCRIPT
RUN cat <<A > /a
text
A
SHELL ["/bin/ash", "-ec"]
RUN echo another shell
