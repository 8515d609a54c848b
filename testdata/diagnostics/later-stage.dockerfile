# A stage can copy and mount from those above it only.
FROM scratch AS app
COPY --from=build /a /b
RUN --mount=from=build,target=/b ["true"]
FROM scratch AS build
FROM app
