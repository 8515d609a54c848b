# A variable about platforms that is misspelt, and a platform that is none.
FROM --platform=$BUILDPLATFROM scratch
FROM --platform=linux/arm/v7/x scratch
