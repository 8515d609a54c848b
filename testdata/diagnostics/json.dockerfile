# A JSON array with something else than strings in it.
FROM scratch
CMD ["sleep", 10]
