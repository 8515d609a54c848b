FROM alpine
CPOY a b
labell x=y
FROBNICATE
COPPY <<EOF /x
RUN not an instruction
EOF
RUN one
 && two
