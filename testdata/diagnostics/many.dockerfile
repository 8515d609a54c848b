# Ten errors are shown in full, and the rest with a line each.
FROM scratch
A
B
C
D
E
F
G
H
I
J
K
L
