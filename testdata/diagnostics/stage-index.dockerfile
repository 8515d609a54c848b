# There is no fourth stage.
FROM scratch
COPY --from=3 a b
