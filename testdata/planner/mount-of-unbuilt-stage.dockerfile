# Nobody needs the first stage, so its mount may mean nothing.
FROM scratch AS unbuilt
RUN --mount=type=nothing,target=/x true
FROM scratch
