# A trigger that cannot be read is a mistake of the FROM that runs it.
FROM scratch AS fine
FROM broken-triggers
RUN x
