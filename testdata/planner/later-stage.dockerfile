FROM scratch AS one
COPY --from=two /a /b
COPY --from=9 /a /b
FROM one AS two
