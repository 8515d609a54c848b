FROM alpine
RUN <<EOF
echo $HOME
# kept
EOF
RUN <<-'SCRIPT'
	#!/usr/bin/env python3
	print("hi")
	SCRIPT
RUN python3 - <<ONE > x && cat <<"TWO"
1
ONE
2
TWO
COPY --chmod=755 <<a.txt plain.txt <<-"b c" /dest/
$expanded "quoted"
a.txt
	verbatim $x
b c
RUN cat <<< "no document"
ONBUILD COPY <<EOF /x
inner
EOF
COPY a <<EOF
text
EOF
RUN <<OPEN
goes on to the end
FROM here
