# check=skip=StageNameCasing
FROM scratch AS Stage
# check=skip=all
CMD a
CMD b
ENV PASSWORD=x
