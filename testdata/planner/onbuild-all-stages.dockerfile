# options: --all-stages
# The triggers of a stage that is not built are not looked at.
FROM broken-triggers
FROM scratch
