# A base without PATH gets the usual one.
FROM nothing
LABEL path=$PATH
