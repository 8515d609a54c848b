# Files that stand in the Dockerfile: their text is expanded unless the delimiter is quoted.
FROM scratch
ENV NAME=world
COPY <<plain <<"verbatim" <<-tabs /docs/
Hello $NAME, "quoted" \$NAME
plain
Hello $NAME
verbatim
	Hello ${NAME:+again}
	tabs
COPY --chmod=0755 <<EOF /bin/run
#!/bin/run
EOF
ADD <<EOF one.txt /mixed/
text
EOF
