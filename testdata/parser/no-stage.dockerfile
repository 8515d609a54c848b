# only a global argument
ARG a
