# Values of the flags of RUN that mean nothing, and a variable where none can be.
FROM scratch
RUN --mount=type=bind,from=$STAGE,target=/a true
RUN --network=hots true
RUN --security=none true
