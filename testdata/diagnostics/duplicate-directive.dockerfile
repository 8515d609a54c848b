# escape=`
# escape=\
# Each directive can be given once.
FROM scratch
