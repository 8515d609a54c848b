# escape=`
# The backtick continues lines and escapes; backslashes are letters.
FROM scratch
RUN dir C:\ `
    && echo done
COPY a C:\
ENV A=C:\x B="a`"b"
