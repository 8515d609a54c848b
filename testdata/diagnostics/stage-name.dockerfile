# Names that no stage can have.
FROM scratch AS 1st
FROM scratch AS my/stage
