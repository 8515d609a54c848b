# Triggers that can be none.
FROM scratch
ONBUILD ONBUILD RUN true
ONBUILD FROM scratch
