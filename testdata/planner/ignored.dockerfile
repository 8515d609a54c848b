# options: --ignore=*.txt,docs
FROM scratch
COPY a.txt b.md docs/manual /to/
ADD --exclude=[ x /
