# options: --build-arg=GIVEN=cli
# ARGs before FROM are for FROM; a stage has those that it declares, and those of its base.
ARG GLOBAL=global
ARG GIVEN=default
ARG USES=${GLOBAL}-x
FROM scratch AS base
ARG GLOBAL
ARG OWN=own A=1 B="2 3"
LABEL seen="$GLOBAL $GIVEN $USES $OWN $A $B"
FROM base
ARG GIVEN
LABEL inherited="$GLOBAL $GIVEN $OWN"
