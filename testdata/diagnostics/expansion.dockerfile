# Substitutions that are wrong, or miss a value.
FROM scratch
WORKDIR /${A
USER ${B:?name a user}
LABEL c="${C^^}" d="${D:=x}"
ENV E='open
