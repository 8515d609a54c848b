# The time of a commit: of a stage that is nothing but one repository.
ARG SOURCE_DATE_EPOCH=code
FROM scratch AS code
ADD https://example.com/r.git#v1 /
FROM scratch
COPY --from=code / /
