FROM alpine
RUN echo "$HOME" && ls [a-z]*
RUN ["echo", "$HOME", "\u00fc\n"]
RUN ['single', 'quotes']
RUN ["a", 1]
RUN [ -f x ] && echo y
CMD []
CMD
ENTRYPOINT ["/bin/sh", "-c"]
SHELL ["/bin/bash", "-c"]
SHELL /bin/bash
SHELL []
