# check=error=perhaps
# The options of the rules cannot be read.
FROM scratch
