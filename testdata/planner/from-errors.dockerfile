# Each FROM is looked at, used or not.
FROM $NOTHING
FROM Some/Image:1
FROM busybox:${TAG?missing}
FROM busybox
