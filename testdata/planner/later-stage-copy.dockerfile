FROM scratch AS one
COPY --from=two /a /b
FROM one AS two
COPY x /
# options: --target=two
