# check=error=true;skip=JSONArgsRecommended
FROM scratch AS Stage
CMD a
