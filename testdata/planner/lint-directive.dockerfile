# check=skip=JSONArgsRecommended, StageNameCasing
FROM scratch AS Name
CMD run
