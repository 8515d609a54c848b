# escape=x
# Two characters can escape.
FROM scratch
