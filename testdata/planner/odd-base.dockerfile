# A base that lists a variable twice, and commands that are empty.
FROM odd
ENV A=3
