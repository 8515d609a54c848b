# Keywords and AS may have any casing, names of stages are in lower case.
from scratch as Base
Run true
CoPy a b
onbuild run x
FROM base AS other
