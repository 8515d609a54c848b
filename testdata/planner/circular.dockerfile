FROM scratch AS one
COPY --from=two /a /b
FROM scratch AS two
RUN --mount=from=one,target=/x true
