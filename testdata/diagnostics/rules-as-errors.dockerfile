# check=error=true
# Violations of the rules fail the build.
from scratch AS Build
COPY a b
