# A stage can copy from those above it only.
FROM scratch AS app
COPY --from=build /a /b
FROM scratch AS build
COPY --from=app /a /b
