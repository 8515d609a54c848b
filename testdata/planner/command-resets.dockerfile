# ENTRYPOINT clears the CMD of the base, but not one of its own stage.
FROM app AS cleared
ENTRYPOINT ["/new"]
FROM app AS kept
CMD ["arguments"]
ENTRYPOINT ["/new"]
FROM cleared
CMD ["of", "this", "stage"]
ENTRYPOINT []
