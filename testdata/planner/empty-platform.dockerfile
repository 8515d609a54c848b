# No platform at all is the target's; a variable that is empty is a mistake (platform-errors).
FROM --platform= busybox
FROM --platform="" busybox
