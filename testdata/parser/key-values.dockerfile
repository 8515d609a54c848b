FROM alpine
ENV A=1 B="two words" C='$single' D=a\ b E=
ENV OLD   the rest of the line, "quotes" too
LABEL "com.example.key"="v 1" plain=x
LABEL old value
ARG a b=1 c="x y" d=
ENV A=1 B
ENV A
ENV
LABEL =x
ARG =x ok
