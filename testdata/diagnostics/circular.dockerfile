# Stages that copy from each other.
FROM scratch AS app
COPY --from=build /a /b
FROM scratch AS build
COPY --from=app /a /b
