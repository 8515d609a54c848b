# Numbers are not looked up; names are.
FROM scratch
STOPSIGNAL 65
STOPSIGNAL -1
STOPSIGNAL SIGRTMIN+15
