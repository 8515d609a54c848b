# Too few or too many arguments, and arguments of another form.
FROM scratch
FROM scratch AS
RUN
COPY a
ENV A
ENV A=b c
LABEL =x
VOLUME [""]
SHELL bash
HEALTHCHECK NONE now
HEALTHCHECK HTTP get
