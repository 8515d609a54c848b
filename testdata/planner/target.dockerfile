# options: --target=First
FROM scratch AS first
COPY a /
FROM first AS second
COPY b /
