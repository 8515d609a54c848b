# escape=!
# escape=`
# escape=\
FROM alpine
