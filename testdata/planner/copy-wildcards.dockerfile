# Sources are patterns of Go, and stay inside of the context; brackets can be taken for what they are.
FROM scratch
COPY *.txt src/?.c [a-c]x [^a]y /to/
COPY arr[[]0].txt ../../outside /absolute/path /to/
COPY --parents **/*.c /all/
COPY --exclude=**/*.md --exclude=!README.md . /most/
