# An instruction that does not exist, and a line of a shell that lost its continuation.
FROM scratch
CPOY a b
RUN make
    && make install
FROBNICATE everything
